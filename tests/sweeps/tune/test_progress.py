"""What a sweep says while it works."""

from io import StringIO

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
        "1 of 4 trials done, 1 running, 2 waiting · 0:11 passed, 4:46 left",
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
