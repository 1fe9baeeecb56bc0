"""What the objective refuses before it trains."""

from pathlib import Path
from typing import Any

import pytest

from lm.objective import train, train_pack
from sweeps.errors import UserError
from sweeps.store import read_trial
from sweeps.tracking import Run


@pytest.mark.parametrize("in_pack", [False, True])
def test_trial_that_holds_a_gpu_is_not_trained_on_the_cpu(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_pack: bool
) -> None:
    monkeypatch.setattr("jax.default_backend", lambda: "cpu")
    config = tiny()
    run = Run(tmp_path, metric="valid/perplexity", mode="min")

    def start() -> None:
        with run:
            run.add_provenance(gpus=0.5)  # as its worker does
            train_pack([config], [run]) if in_pack else train(config, run)

    with pytest.raises(UserError, match=r"^sweep\.gpus_per_trial=0\.5, but this JAX has no"):
        start()
    trial = read_trial(tmp_path)
    assert (trial.status, trial.step) == ("failed", 0)
    assert not (tmp_path / "vocab.tsv").exists()
