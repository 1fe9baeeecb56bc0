"""The hook's tags are those that training reports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.hooks.metrics import reports
from lm.objective import train
from lm.train import train_single
from sweeps.errors import UserError
from sweeps.store.metrics import read_metrics
from sweeps.tracking import Run

Compose = Callable[..., dict[str, Any]]
EVERYTHING = ("log.histogram_every=1", "gradient_flow.every=1", "train.epochs=2")


@pytest.mark.parametrize(
    "overrides",
    [
        ("model.cell=rnn", "gradient_flow.horizon=2"),
        ("model.cell=gru", "model.layers=2", "model.hidden_size=null", "gradient_flow.horizon=9"),
        ("model.cell=lstm", "model.layers=2", "data.test_fraction=0", "gradient_flow.horizon=2"),
        ("model.cell=lstm", "model.tie_weights=true", "model.embed_size=6"),
    ],
)
def test_tags_are_those_of_a_training(
    tiny: Compose, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    config = tiny(*EVERYTHING, *overrides)
    with Run(tmp_path, metric="valid/perplexity", mode="min") as run:
        train(config, run)
    kinds = [set(tags) for tags in reports(config)]
    rows = [set(row) - {"step", "wall_time"} for row in read_metrics(tmp_path / "metrics.csv")]
    assert set.union(*rows) == set.union(*kinds)
    plain, _, evaluation, _, last = kinds
    assert all(plain <= row for row in rows)
    assert last <= rows[-1]
    assert sum(evaluation <= row for row in rows) == 2


def test_scores_of_vectors_are_reported_where_they_are_asked_for(tiny: Compose) -> None:
    without, of_vectors = reports(tiny()), reports(tiny("log.vector_scores=true"))
    assert not any(tag.startswith("vectors/") for tags in without for tag in tags)
    _, _, evaluation, first, _ = of_vectors
    assert {"vectors/simlex", "vectors/output_analogies"} <= set(evaluation)
    assert set(first) - set(evaluation) == {
        f"vectors/{kind}_share" for kind in ("simlex", "wordsim", "analogies")
    }


def test_single_run_with_a_metric_that_it_does_not_report_is_refused(
    tiny: Compose, tmp_path: Path
) -> None:
    config = tiny("sweep.metric=valid/perplxity", f"output_dir={tmp_path / 'out'}")
    with pytest.raises(UserError, match="did you mean valid/perplexity"):
        train_single(config, [], console=None)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
