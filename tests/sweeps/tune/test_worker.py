"""A worker's reports to the driver."""

from sweeps.tune.task import WorkerTask
from sweeps.tune.worker import ThrottledReporter


def test_score_that_is_no_number_never_reaches_a_scheduler() -> None:
    sent: list[float | None] = []
    task = WorkerTask(objective="", metric="loss", mode="min")
    reporter = ThrottledReporter(task, lambda report: sent.append(report.score))
    for step, loss in enumerate([1.0, float("nan"), float("inf"), 2.0]):
        reporter(step, {"loss": loss}, 4)
    assert [score for score in sent if score is not None] == [1.0, 2.0]
