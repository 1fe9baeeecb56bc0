from pathlib import Path

import pytest

from benchmarks.logging_overhead import EVERY, UPDATES, Bench, compose, measure
from lm.config import parse_config
from sweeps.store.metrics import read_metrics
from sweeps.tracking import Run


@pytest.mark.slow
def test_rounds_report_as_often_as_they_say(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("a b c d " * 100)
    sizes = [f"model.{name}_size=3" for name in ("embed", "rnn", "hidden")]
    train = ["train.batch_size=1", "train.sequence_length=4"]
    config = parse_config(compose(["data=text", f"data.files=[{text}]", *sizes, *train]))
    with Run(tmp_path, metric="valid/perplexity", mode="min") as run:
        step, shares, alone = measure(Bench(config, run), rounds=1)
    assert step > 0
    assert alone > 0
    assert set(shares) == set(EVERY)
    rows = read_metrics(tmp_path / "metrics.csv")
    assert len(rows) == sum(UPDATES // (points or every) for every, points in EVERY) + 300
    assert {"valid/perplexity", "test/loss", "train/grad_norm"} <= set(rows[0])
