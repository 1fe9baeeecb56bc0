"""What a sweep says while it works."""

import re
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from sweeps.tune.progress import Progress


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def progress(text: StringIO, clock: Clock, *names: str) -> Progress:
    console = Console(file=text, width=200)
    return Progress(1 + len(names), num_done=1, tags=["loss"], console=console, clock=clock)


def test_plain_output_counts_trials_and_shows_each_running_one() -> None:
    text, clock = StringIO(), Clock()
    with progress(text, clock, "size=1,id=a", "size=2,id=b", "size=3,id=c") as shown:
        shown.started("size=1,id=a")
        shown.reported("size=1,id=a", 10, 100, {"loss": 2.5})
        clock.now = 11
        shown.reported("size=1,id=a", 20, 100, {"other": 1.0})
        shown.refresh()
        clock.now = 12
        shown.refresh()
        shown.ended("size=1,id=a", "finished")
    assert text.getvalue().splitlines() == [
        "1 of 4 trials done, 1 running, 2 waiting; 0:11 passed, 4:46 left",
        "  size=1  20%  loss 2.5  left 1:28",
        "[2/4] size=1: finished",
    ]


def test_time_left_counts_from_the_first_report_not_from_the_start() -> None:
    clock = Clock()
    shown = progress(StringIO(), clock, "a")
    shown.started("a")
    clock.now = 60  # compilation
    shown.reported("a", 50, 100, {})  # resumed at 50
    assert shown.seconds_left(clock.now) is None
    clock.now = 70
    shown.reported("a", 75, 100, {})
    assert shown.seconds_left(clock.now) == 10


def test_waiting_trials_share_the_slots() -> None:
    clock = Clock()
    shown = progress(StringIO(), clock, *"abcd")
    shown.started("a")
    shown.started("b")
    clock.now = 30
    shown.ended("a", "finished")
    shown.ended("b", "finished")
    assert shown.seconds_left(clock.now) == 30


def test_trial_whose_worker_died_waits_again() -> None:
    text, clock = StringIO(), Clock()
    shown = progress(text, clock, "a")
    shown.started("a")
    shown.retried("a")
    clock.now = 20
    shown.refresh()
    assert "a: its worker died; it is started again" in text.getvalue()
    assert "1 of 2 trials done, 0 running, 1 waiting" in text.getvalue()


def test_after_ctrl_c_counts_are_true_and_no_time_is_promised() -> None:
    text, clock = StringIO(), Clock()
    with progress(text, clock, "a", "b", "c", "d") as shown:
        shown.started("a")
        shown.started("b")
        shown.reported("a", 10, 100, {})
        clock.now = 20
        shown.reported("a", 20, 100, {})
        shown.interrupted()
        shown.interrupted()
        clock.now = 25
        shown.ended("a", "interrupted after 25 s", interrupted=True)
        clock.now = 40
        shown.refresh()
    assert text.getvalue().splitlines() == [
        "Interrupted: 2 trials save, then the sweep ends; Ctrl-C again ends it without saving.",
        "a: interrupted after 25 s",
        "1 of 5 trials done, 1 saving, 1 interrupted, 2 not started; 0:40 passed",
        "  b  starting",
    ]


def test_live_counts_are_true_below_each_line_that_stays() -> None:
    text, clock = StringIO(), Clock()
    console = Console(file=text, width=100, force_terminal=True, color_system=None)
    with Progress(3, num_done=0, tags=["loss"], console=console, clock=clock) as shown:
        shown.started("a")
        shown.started("b")
        shown.ended("a", "finished")
        shown.interrupted()
        shown.ended("b", "interrupted", interrupted=True)
    found = re.findall(r"(\d of 3 trials done.*?);", text.getvalue())
    assert list(dict.fromkeys(found)) == [
        "0 of 3 trials done, starting",
        "1 of 3 trials done, 1 running, 1 waiting",
        "1 of 3 trials done, 1 saving, 1 not started",
        "1 of 3 trials done, 0 saving, 1 interrupted, 1 not started",
    ]


@pytest.mark.parametrize("width", [80, 50])
def test_live_table_cuts_no_value(width: int) -> None:
    text, clock = StringIO(), Clock()
    console = Console(file=text, width=width, force_terminal=True, color_system=None)
    tags = ["time/epoch", "train/loss", "time/words_per_second"]
    name = "embed_size=64,rnn_size=192,hidden_size=96,data.files=[x],id=7aa8a3"
    with Progress(3, num_done=0, tags=tags, console=console, clock=clock) as shown:
        shown.started(name)
        shown.reported(name, 1, 100, dict.fromkeys(tags, 12345.678))
        clock.now = 5000
        shown.reported(name, 2, 100, {})
        shown.refresh()
    assert "\u2026" not in text.getvalue()
    assert text.getvalue().count("12346") == 6  # shown twice
    assert "136:06:40" in text.getvalue()


def test_trial_without_a_report_is_starting_and_no_time_is_guessed() -> None:
    text, clock = StringIO(), Clock()
    with progress(text, clock, "a") as shown:
        shown.started("a")
        clock.now = 11
        shown.refresh()
    assert text.getvalue().splitlines() == [
        "1 of 2 trials done, 1 running, 0 waiting; 0:11 passed",
        "  a  starting",
    ]


def live(text: StringIO, clock: Clock, width: int = 80, **more: Any) -> Progress:
    console = Console(
        file=text, width=width, force_terminal=True, color_system=None, **{"height": 24, **more}
    )
    tags = ["time/words_per_second", "train/loss"]
    return Progress(8, num_done=0, tags=tags, console=console, clock=clock)


def test_first_minute_says_what_the_sweep_does() -> None:
    text, clock = StringIO(), Clock()
    with live(text, clock) as shown:
        shown.phase("starting Ray", is_line=True)
        clock.now = 3
        shown.refresh()
        shown.phase("starting workers")
        shown.started("size=1,id=a")
        clock.now = 5
        shown.refresh()
    lines = text.getvalue()
    assert "0 of 8 trials done, starting Ray; 0:03 passed" in lines
    assert "0 of 8 trials done, starting workers; 0:03 passed" in lines
    assert "0 of 8 trials done, 1 running, 7 waiting; 0:05 passed" in lines
    assert re.search(r"size=1 +starting +- +- +-\s", lines)


def test_first_minute_in_a_pipe_says_what_the_sweep_does() -> None:
    text, clock = StringIO(), Clock()
    with progress(text, clock, "a") as shown:
        shown.phase("starting Ray", is_line=True)
        shown.phase("starting workers")
        clock.now = 11
        shown.refresh()
    assert text.getvalue().splitlines() == [
        "Starting Ray",
        "1 of 2 trials done, starting workers; 0:11 passed",
    ]


def test_headings_are_words_and_what_is_not_known_is_a_dash() -> None:
    text, clock = StringIO(), Clock()
    with live(text, clock, width=120) as shown:
        shown.started("a")
        shown.reported("a", 3, None, {"train/loss": 2.5})
        clock.now = 1
        shown.refresh()
    assert re.search(r"trial +done +words per second +loss +left", text.getvalue())
    assert re.search(r"a +- +- +2.5 +-\s", text.getvalue())
    assert "?" not in re.sub(r"\x1b\[\?", "", text.getvalue())


def test_table_is_no_higher_than_the_terminal() -> None:
    text, clock = StringIO(), Clock()
    with live(text, clock, height=10) as shown:
        for number in range(40):
            shown.started(f"size={number},id=a")
        clock.now = 1
        shown.refresh()
    last = text.getvalue().rpartition("0 of 8 trials done")[2]
    assert "size=3 " in last
    assert "size=4 " not in last
    assert "... and 36 more" in last


def test_long_values_of_a_name_are_shortened_and_a_name_may_be_given() -> None:
    text, clock = StringIO(), Clock()
    long = "a_path_of_as_many_letters_as_would_fill_the_whole_line_of_a_terminal_train.txt-8453"
    with progress(text, clock, "b") as shown:
        shown.started(f"size=1,files={long},id=a")
        shown.started("changes=-4f53,id=b", "changes=none")
        shown.ended("changes=-4f53,id=b", "finished")
        shown.ended(f"size=1,files={long},id=a", "finished")
        shown.ended("files=x.txt-1234,id=c", "finished")
    assert text.getvalue().splitlines() == [
        "[2/2] changes=none: finished",
        "[3/2] size=1,files=a_path_of_a...n.txt-8453: finished",
        "[4/2] files=x.txt-1234: finished",
    ]


def test_trial_says_what_it_does_before_its_first_report() -> None:
    text, clock, doing = StringIO(), Clock(), ["compiling"]
    with progress(text, clock, "a", "b") as shown:
        shown.started("a", phase=lambda: doing[0])
        shown.started("b", phase=lambda: "")
        clock.now = 11
        shown.refresh()
        shown.reported("a", 1, 10, {"loss": 1.0})
        clock.now = 22
        shown.refresh()
    lines = text.getvalue().splitlines()
    assert lines[1:3] == ["  a  compiling", "  b  starting"]
    assert lines[4] == "  a  10%  loss 1"


def test_one_trial_is_not_plural() -> None:
    text, clock = StringIO(), Clock()
    with Progress(1, num_done=0, tags=[], console=Console(file=text), clock=clock) as shown:
        shown.started("a")
        clock.now = 11
        shown.refresh()
        shown.interrupted()
    assert "0 of 1 trial done, 1 running" in text.getvalue()
    assert "Interrupted: 1 trial saves, then the sweep ends" in text.getvalue()
