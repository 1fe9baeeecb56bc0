"""TensorBoard runs of means over replicates, such as seeds.

TensorBoard cannot average runs. So each setting that several trials repeat gets a run of its own,
`<sweep>/over_seed/embed_size=64,rnn_size=192,`. It has a curve's mean under the curve's own tag,
and once more under three tags with a band of one sample deviation (see
`sweeps.tensorboard.custom_scalars.band_tags`).
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

from sweeps.analysis.replicates import mean_and_deviation
from sweeps.io.atomic import cannot_write, make_directory
from sweeps.naming import setting_name, short_keys
from sweeps.store import Sweep, read_metrics
from sweeps.store.metrics import Row, merge_steps
from sweeps.tensorboard.custom_scalars import (
    Charts,
    aggregate_name,
    band_tags,
    chart_tags,
    replicate_name,
)
from sweeps.tensorboard.event_file import EventWriter


def write_replicate_runs(sweep: Sweep, charts: Charts) -> list[str]:
    """Replace the runs of means.

    Args:
      sweep: the sweep, just read.
      charts: charts whose tags are averaged.

    Returns:
      Names of the folders in the sweep's folder that were written or removed.

    Raises:
      UserError: they cannot be written.
    """
    changed = [path.name for path in sweep.folder.glob(aggregate_name("*")) if _is_aggregate(path)]
    for name in changed:
        _remove(sweep.folder / name)
    if (replicate := replicate_name(sweep)) is None or not charts:
        return changed
    below = sweep.folder / aggregate_name(replicate)
    for setting, tables in _settings(sweep).items():
        if len(tables) > 1:
            _write(below / setting, mean_rows(tables, chart_tags(charts)), replicate)
    return list(dict.fromkeys([*changed, below.name]))


def mean_rows(tables: Sequence[Sequence[Row]], tags: Sequence[str]) -> list[tuple[Row, Row]]:
    """Return the mean and sample deviation of each tag at the steps at which all tables have it.

    A mean over the tables that reach a step would flatter a setting. The mean is NaN where a value
    is not finite.

    Args:
      tables: metrics of the replicates of one setting.
      tags: tags to average.

    Returns:
      Pairs of a row of means and a row of deviations, ordered by step. The former also has `step`
      and `wall_time`, the latest of the replicates.
    """
    found: list[tuple[Row, Row]] = []
    by_step = [merge_steps(table) for table in tables]
    for step in sorted(set[int]().union(*by_step)):
        rows = [table[step] for table in by_step if step in table]
        values = {tag: [row[tag] for row in rows if tag in row] for tag in tags}
        whole = {tag: _mean(known) for tag, known in values.items() if len(known) == len(tables)}
        if whole:
            at = {"step": step, "wall_time": max(row["wall_time"] for row in rows)}
            middle = {tag: mean for tag, (mean, _) in whole.items()}
            found.append(({**at, **middle}, {tag: spread for tag, (_, spread) in whole.items()}))
    return found


def _mean(values: list[float]) -> tuple[float, float]:
    if not all(map(math.isfinite, values)):
        return math.nan, math.nan
    mean, deviation = mean_and_deviation(values)
    return mean or 0.0, deviation or 0.0


def _settings(sweep: Sweep) -> dict[str, list[list[dict[str, float]]]]:
    """Return name of a setting -> metrics of each of its finished trials."""
    short = dict(zip(sweep.axes, short_keys(sweep.axes), strict=True))
    found: dict[str, list[list[dict[str, float]]]] = {}
    for trial in sweep.trials:
        if trial.completed:
            labels = {key: text for key, text in trial.settings.items() if key != sweep.replicate}
            name = setting_name({short.get(key, key): text for key, text in labels.items()})
            found.setdefault(name, []).append(read_metrics(trial.directory / "metrics.csv"))
    return found


def _write(directory: Path, rows: Sequence[tuple[Row, Row]], replicate: str) -> None:
    make_directory(directory)
    writer = EventWriter(directory, start=0)
    for middle, deviations in rows:
        values = {}
        for tag, deviation in deviations.items():
            mean, tags = middle[tag], band_tags(tag, replicate)
            values[tag] = values[tags.value] = mean
            values |= {tags.lower: mean - deviation, tags.upper: mean + deviation}
        writer.write_scalars(int(middle["step"]), middle["wall_time"], values)
    writer.close()


def _is_aggregate(path: Path) -> bool:
    """Return whether a folder holds means, and not a trial whose first axis begins with `over_`."""
    return path.is_dir() and "=" not in path.name


def _remove(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise cannot_write(path, error) from error
