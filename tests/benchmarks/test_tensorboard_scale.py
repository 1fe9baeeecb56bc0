"""The benchmark of many runs in TensorBoard loses none of a few."""

from pathlib import Path

import pytest

from benchmarks.tensorboard import browser
from benchmarks.tensorboard.copied_runs import copy_runs
from benchmarks.tensorboard_scale import measure
from sweeps.tracking import Run


@pytest.mark.slow
def test_copies_of_a_trial_are_served_under_names_of_a_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Run(tmp_path / "trial", metric="valid/perplexity", mode="min") as run:
        run.report(1, {"train/loss": 2.0, "valid/perplexity": 9.0}, 1)
    names = copy_runs([tmp_path / "trial"], tmp_path / "grid", 41)
    assert len(set(names)) == 41
    assert sum("embed_size=64,rnn_size=192,hidden_size=96,lr=0.1,seed=1," in n for n in names) == 1
    monkeypatch.setattr(browser, "missing", lambda: "none is wanted")
    served, drawn = measure(tmp_path, names)
    assert (served.lost, drawn) == (0, None)
    assert served.loaded >= served.listed > 0
    assert served.server > 1
