"""Charts of a sweep, read back by TensorBoard's Custom Scalars plugin."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sweeps.store.sweep import read_sweep
from sweeps.tensorboard.custom_scalars import (
    LAYOUT_TAG,
    charts_layout,
    layout_values,
    read_charts,
    write_charts,
)
from sweeps.tensorboard.event_file import EVENT_FILES, EventWriter, read_values
from sweeps.tensorboard.runs import find_runs
from sweeps.tracking import Run

CHARTS = {"Loss": ["train/loss", "valid/loss"], "Other": ["other"]}
Look = Callable[[Path], Any]


def one(setting: Mapping[str, Any], step: int) -> float:
    return 1.0


def test_charts_of_two_sweeps_are_shown_once(make_sweep: Any, look: Look) -> None:
    settings = [{"rate": rate, "seed": 0} for rate in (1, 2)]
    folders = [make_sweep(settings, one, name=name, replicate="seed") for name in ("a", "b")]
    for folder in folders:
        write_charts(read_sweep(folder), CHARTS)
    lines, bands = look(folders[0].parent).layout()["category"]
    assert [chart["title"] for chart in lines["chart"]] == ["Loss", "Other"]
    assert lines["chart"][0]["multiline"] == {"tag": ["train/loss$", "valid/loss$"]}
    assert bands["title"] == "Mean and deviation over seed"
    assert [chart["title"] for chart in bands["chart"]] == ["train/loss", "valid/loss", "other"]
    [series] = bands["chart"][0]["margin"]["series"]
    assert series["lower"] == "over_seed/train/loss/lower"


def carried(folder: Path) -> list[str]:
    """Names of the runs with a layout, once for each."""
    return [
        path.parent.relative_to(folder).as_posix()
        for path in sorted(folder.rglob(EVENT_FILES))
        for value in read_values(path)
        if value.tag == LAYOUT_TAG
    ]


@pytest.mark.parametrize("ends", ["finished", "failed", "diverged", "stopped"])
def test_charts_stand_in_the_run_of_a_trial_and_not_in_one_of_their_own(
    make_sweep: Any, ends: str
) -> None:
    settings = [{"rate": rate} for rate in (1, 2)]
    folder = make_sweep(settings, one, ends=lambda setting: ends)
    sweep = read_sweep(folder)
    trials = {trial.directory.name for trial in sweep.trials}
    for charts in (CHARTS, CHARTS, {"Other": ["other"]}):
        write_charts(sweep, charts)
        assert carried(folder) == [min(trials)]
        assert read_charts(folder) == charts
    assert set(find_runs(folder)) == trials
    write_charts(sweep, {})
    assert carried(folder) == []
    assert read_sweep(folder).trials == sweep.trials


def test_charts_of_an_earlier_version_move_from_the_sweeps_own_run_into_a_trials(
    make_sweep: Any, look: Look
) -> None:
    folder = make_sweep([{"rate": 1}], one)
    sweep = read_sweep(folder)
    writer = EventWriter(folder, start=None)
    writer.write_values(layout_values(charts_layout(sweep, CHARTS)))
    writer.close()
    assert carried(folder) == ["."]
    assert read_charts(folder) == CHARTS
    before = look(folder.parent).layout()
    write_charts(sweep, CHARTS)
    assert carried(folder) == [sweep.trials[0].directory.name]
    assert look(folder.parent).layout() == before


def test_trial_that_is_trained_carries_the_charts_and_so_does_one_that_goes_on(
    make_sweep: Any, look: Look
) -> None:
    folder = make_sweep([{"rate": 1}], one, ends=lambda setting: "waiting")
    sweep = read_sweep(folder)
    layout = charts_layout(sweep, CHARTS)
    [trial] = sweep.trials
    for resumed_at in (-1, 10):
        with Run(trial.directory, metric="valid/loss", mode="min", charts=layout) as run:
            run.resume_at(resumed_at)
            for step in range(resumed_at + 10, 40, 10):
                run.report(step, {"valid/loss": 1.0})
        [category] = look(folder.parent).layout()["category"]
        assert [chart["title"] for chart in category["chart"]] == list(CHARTS)
    assert set(find_runs(folder)) == {trial.directory.name}
