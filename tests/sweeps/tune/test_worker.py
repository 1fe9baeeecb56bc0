"""A worker's reports to the driver."""

import pytest

from sweeps.errors import UserError
from sweeps.tune.task import WorkerTask
from sweeps.tune.worker import ThrottledReporter


def test_score_that_is_no_number_never_reaches_a_scheduler() -> None:
    sent: list[float | None] = []
    task = WorkerTask(objective="", metric="loss", mode="min")
    reporter = ThrottledReporter(task, lambda report: sent.append(report.score))
    for step, loss in enumerate([1.0, float("nan"), float("inf"), 2.0]):
        reporter(step, {"loss": loss}, 4)
    assert [score for score in sent if score is not None] == [1.0, 2.0]


def test_trial_that_never_reports_what_the_scheduler_decides_by_is_told_so() -> None:
    told = "sweep.metric=valid/los was never reported, and scheduler=asha decides by it; did you "
    for scheduler, metric, sentence in (
        ("asha", "valid/los", f"{told}mean valid/loss."),
        ("asha", "valid/loss", ""),
        ("none", "valid/los", ""),
    ):
        task = WorkerTask(objective="", metric=metric, mode="min", scheduler=scheduler)
        reporter = ThrottledReporter(task, lambda report: None)
        reporter.check_scored()  # it was done before, or stopped: nothing came
        reporter(1, {"train/loss": 2.0}, 2)
        reporter(2, {"train/loss": 2.0, "valid/loss": 2.0}, 2)
        if not sentence:
            reporter.check_scored()
            continue
        with pytest.raises(UserError) as error:
            reporter.check_scored()
        assert str(error.value) == sentence
