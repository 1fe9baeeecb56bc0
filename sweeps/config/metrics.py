"""Tags of metrics that options name, compared with the tags that trials report."""

from collections.abc import Collection, Sequence

from sweeps.config.options import SchedulerConfig, SweepConfig, objectives_of
from sweeps.errors import UserError, did_you_mean

Reports = Sequence[Collection[str]]
"""The tags in each kind of report that a trial makes."""


def check_metric(metric: str, reports: Reports) -> None:
    """Refuse a metric that a trial never reports.

    Args:
      metric: `sweep.metric`.
      reports: of a trial.

    Raises:
      UserError: no report has it.
    """
    _check_tag("sweep.metric", metric, reports)


def check_tags(reports: Reports, sweep: SweepConfig, scheduler: SchedulerConfig) -> None:
    """Refuse options that name a metric which a trial never reports, or not when it is needed.

    Args:
      reports: of a trial.
      sweep: `metric`, `objectives` and `progress` name tags.
      scheduler: `time` is `step`, or names a tag that comes with the metric.

    Raises:
      UserError: one does.
    """
    check_metric(sweep.metric, reports)
    for objective in objectives_of(sweep)[1:]:
        _check_tag("sweep.objectives", objective.tag, reports)
    for tag in sweep.progress:
        _check_tag("sweep.progress", tag, reports)
    if scheduler.time == "step":
        return
    _check_tag("scheduler.time", scheduler.time, reports)
    ranked = [set(tags) for tags in reports if sweep.metric in tags]
    if not all(scheduler.time in tags for tags in ranked):
        together = sorted(set.intersection(*ranked) - {sweep.metric})
        raise UserError(
            f"scheduler.time={scheduler.time} is not reported whenever {sweep.metric} is; take "
            f"step, or one of {', '.join(together)}."
        )


def _check_tag(option: str, tag: str, reports: Reports) -> None:
    known = list(dict.fromkeys(one for tags in reports for one in tags))
    if tag not in known:
        raise UserError(
            f"{option}={tag} is not reported by these trials; {did_you_mean(tag, known)}."
        )
