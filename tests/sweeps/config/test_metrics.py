"""Options that name a metric which no trial reports are refused with the one that was meant."""

from typing import Any

import pytest

from sweeps.config import SchedulerConfig, SweepConfig, check_tags
from sweeps.errors import UserError, did_you_mean

PLAIN = ["train/loss", "time/epoch", "time/words_per_second"]
REPORTS = [PLAIN, [*PLAIN, "valid/loss", "valid/perplexity"]]


def check(metric: str = "valid/perplexity", progress: Any = (), time: str = "step") -> None:
    sweep = SweepConfig(metric=metric, progress=list(progress))
    check_tags(REPORTS, sweep, SchedulerConfig(kind="none", time=time))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"metric": "valid/perplxity"}, "sweep.metric=valid/perplxity is not reported by these "),
        ({"metric": "valid/perplxity"}, "did you mean valid/perplexity."),
        ({"metric": "perplexity"}, "did you mean valid/perplexity."),
        ({"metric": "test/perplexity"}, "did you mean valid/perplexity."),
        ({"metric": "best/valid/perplexity"}, "did you mean valid/perplexity."),
        ({"metric": "val/loss"}, "did you mean valid/loss."),
        ({"metric": "loss"}, "did you mean train/loss or valid/loss."),
        ({"metric": "accuracy"}, "there are train/loss, time/epoch, time/words_per_second, valid/"),
        ({"progress": ["train/loss", "tim/epoch"]}, "sweep.progress=tim/epoch is not reported"),
        ({"time": "epoch"}, "scheduler.time=epoch is not reported by these trials; did you mean"),
        (
            {"metric": "train/loss", "time": "valid/loss"},
            "scheduler.time=valid/loss is not reported whenever train/loss is; take step, or one "
            "of time/epoch, time/words_per_second.",
        ),
    ],
)
def test_tag_that_nobody_reports_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        check(**options)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        {"progress": PLAIN},
        {"metric": "train/loss", "time": "time/epoch"},
        {"metric": "valid/loss", "time": "train/loss"},
    ],
)
def test_tags_that_are_reported_pass(options: dict[str, Any]) -> None:
    check(**options)


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "there are none"), (1, "there are t0"), (9, ", t7, t8"), (26, ", t7 and 18 more")],
)
def test_sentence_lists_few_tags(count: int, told: str) -> None:
    assert did_you_mean("x", [f"t{number}" for number in range(count)]).endswith(told)
