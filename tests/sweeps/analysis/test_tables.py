"""Tables on terminals: no number, id or heading that ranks is cut, and what is left out is said."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.analysis.comparison import Comparison, compare_trials
from sweeps.analysis.tables import print_means, print_ranking, print_replicates
from sweeps.naming import label
from sweeps.store.result import BestValue
from sweeps.store.status import TrialStatus
from sweeps.store.sweep import Sweep
from sweeps.store.trial import Trial

AXES = [
    "model.embed_size",
    "model.rnn_size",
    "model.hidden_size",
    "model.layers",
    "optimizer.learning_rate",
    "train.sequence_length",
    "data.files",
    "seed",
]
PATH = (
    "/data/corpora/of/many/years/a_text_of_which_the_path_is_as_long_as_ninety_five_letters/{}.txt"
)


def setting(number: int, axes: Sequence[str]) -> dict[str, str]:
    values: dict[str, Any] = {
        "model.embed_size": 64,
        "model.rnn_size": 128 + number,
        "model.hidden_size": 96,
        "model.layers": 1 + number % 2,
        "optimizer.learning_rate": 0.0123456 + number,
        "train.sequence_length": 35,
        "data.files": PATH.format(number % 2),
        "seed": number % 3,
    }
    return {axis: values[axis] for axis in axes}


def comparison(
    count: int,
    axes: Sequence[str] = AXES,
    statuses: Sequence[str] = ("finished",),
    **more: Any,
) -> Comparison:
    trials = []
    for number in range(count):
        values = setting(number, axes)
        status = TrialStatus(statuses[number % len(statuses)])
        best = BestValue(metric="valid/perplexity", value=97.24187 + number, step=67200 + number)
        trials.append(
            Trial(
                directory=Path(f"out/grid/x,id={number:06x}"),
                fingerprint=f"{number:06x}",
                status=status,
                settings={axis: label(value) for axis, value in values.items()},
                train_command="app " + " ".join(f"{axis}={one}" for axis, one in values.items()),
                best=best if status.is_counted else None,
                step=12345,
                seconds=1234.56,
                error={"stopped": "by asha at step 30000", "failed": "ValueError"}.get(status),
                stopped_by="asha" if status == "stopped" else None,
            )
        )
    sweep = Sweep(
        folder=Path("out/grid"),
        axes=tuple(axes),
        metric="valid/perplexity",
        mode="min",
        trials=tuple(trials),
    )
    return compare_trials(replace(sweep, **more))


def printed(show: Any, *arguments: Any, width: int = 80, is_terminal: bool = True) -> list[str]:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=is_terminal, color_system=None
    )
    show(console, *arguments)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


STATUSES: Mapping[str, Sequence[str]] = {
    "one": ["finished"],
    "several": ["finished", "stopped", "diverged", "failed", "interrupted", "waiting"],
}


@pytest.mark.parametrize("statuses", STATUSES)
@pytest.mark.parametrize("count", [1, 8, 200])
@pytest.mark.parametrize("axes", [1, 3, 5, 8])
def test_ranking_fits_a_terminal_and_cuts_nothing_that_ranks(
    axes: int, count: int, statuses: str
) -> None:
    found = comparison(count, AXES[-axes:], STATUSES[statuses])
    lines = printed(print_ranking, found, 50)
    assert max(map(len, lines)) <= 80 or lines[-1].startswith("no room for: ")
    text = "\n".join(lines)
    assert "\u2026" not in text
    rows = [line for line in lines if re.match(r" *\d+ ", line)]
    assert max(map(len, rows)) <= 80
    assert len(rows) == min(count, 50)
    for row, one in zip(rows, found.trials, strict=False):
        assert row.rstrip().endswith(one.trial.fingerprint)
        if one.best is not None:
            assert f" {one.best:.6g} " in row
    head = re.sub(r"\s", "", "".join(lines[: lines.index(rows[0])]))
    assert "best" in head
    assert "perplexity" in head or "plexity" in head
    if statuses == "several" and count == 8:
        assert {"not started", "diverged"} <= set(re.findall("not started|diverged", text))


def test_columns_that_are_left_out_are_named_with_what_all_have() -> None:
    lines = printed(print_ranking, comparison(8), 50)
    assert lines[-1].startswith("no room for: seconds, at step, embed_size=64, hidden_size=96")
    assert "sequence_length=35" in lines[-1]
    assert "status=finished" in lines[-1]
    assert lines[-1].endswith(" (in a pipe the table is whole)")
    assert any("rnn_" in line for line in lines[:4])


def test_nothing_is_left_out_in_a_pipe() -> None:
    lines = printed(print_ranking, comparison(8), 50, is_terminal=False)
    heads = lines[0].split()
    assert heads[-3:] == ["status", "seconds", "id"]
    assert all(axis.rpartition(".")[2] in heads for axis in AXES if "rate" not in axis)
    assert PATH.format(0) in lines[1]
    assert len(lines) == 9


def test_few_axes_leave_all_columns_where_they_were() -> None:
    axes = ["model.embed_size", "model.rnn_size", "model.hidden_size"]
    lines = printed(print_ranking, comparison(8, axes), 50)
    assert not any("no room" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [80, 120])
def test_replicates_and_means_fit_a_terminal(width: int) -> None:
    found = comparison(12, replicate="seed")
    lines = printed(print_replicates, found, 50, width=width)
    rows = [line for line in lines if " of " in line and "no room" not in line]
    assert rows
    assert max(map(len, rows)) <= width
    assert "mean" in "".join(lines)
    lines = printed(print_means, found, width=width)
    assert max(map(len, lines)) <= width
    assert sum("..." in line for line in lines) == 2


def test_objectives_and_front_stay() -> None:
    found = comparison(8, objectives=("train/loss:min", "time/words_per_second:max"))
    lines = printed(print_ranking, found, 50)
    head = re.sub(r"\s", "", "".join(lines[:5]))
    assert "Pareto" in head
    rows = [line for line in lines if re.match(r" *\d+ ", line)]
    assert max(map(len, rows)) <= 80
