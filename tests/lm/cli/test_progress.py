"""What a single run shows while it works."""

import io

import pytest
from rich.console import Console

from lm.cli.progress import RunProgress
from sweeps.cli import progress as any_progress
from sweeps.cli.progress import bar

METRICS = {"train/loss": 12.345, "time/words_per_second": 123456.7, "time/epoch": 1.0}


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [200, 80])
def test_bar_tells_time_passed_from_time_left_and_cuts_nothing(width: int) -> None:
    console = terminal(width)
    with RunProgress(console) as progress:
        progress.reported(0, {**METRICS}, None)
        compiling = shown(console)
        progress.reported(123456, METRICS, 234567)
        progress.reported(123457, METRICS, 234567)
    printed = shown(console)
    assert " passed" in compiling
    assert " left" not in compiling
    assert "loss 12.345  123,457 words/s" in printed
    assert "123457/234567" in printed
    assert "\u2026" not in printed


def test_bar_says_what_the_run_does_before_its_first_report() -> None:
    console = terminal(120)
    with RunProgress(console) as progress:
        assert "starting" in shown(console)
        progress.phase("compiling")
        progress.phase("")
        progress._bar.refresh()
        assert "compiling" in shown(console)
    console = terminal(120)
    with any_progress.RunProgress(console, "valid/loss") as any_run:
        any_run.reported(1, {"other": 1.0}, 2)
        any_run._bar.refresh()
    assert "starting" not in shown(console).rpartition("1/2")[2]


def test_bar_reads_no_markup_in_what_it_counts() -> None:
    console = terminal(120)
    with bar(console, "{task.description}: pass") as progress:
        progress.add_task("[x]:bug:", total=2)
        progress.refresh()
    assert "[x]:bug:: pass" in shown(console)


def test_end_of_an_epoch_is_one_line_that_stays() -> None:
    console = Console(file=io.StringIO(), width=40)
    with RunProgress(console) as progress:
        progress.reported(7, {**METRICS, "valid/perplexity": 31.416}, 70)
    assert shown(console) == (
        "epoch 1  step 7  train loss 12.345  123,457 words/s  valid perplexity 31.42\n"
    )
