"""Plan of the runs: every sweep of the study, shortened so that two cores finish in an hour."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Stage(NamedTuple):
    """A sweep of the study and how long each of its trials is."""

    sweep: str
    """Name of the file in conf/sweep, and of the folder."""
    trials: int
    overrides: tuple[str, ...]
    epochs: str
    """Epochs in words, beside those of the study."""
    minutes: float
    """Minutes that it took on two idle cores."""


def _changes(*rates: tuple[int, float]) -> str:
    """Make a schedule from updates and the learning rates that hold from there."""
    parts = (f"{{step: {step}, optimizer.learning_rate: {rate}}}" for step, rate in rates)
    return f"[{', '.join(parts)}]"


SCHEDULES = [
    _changes(),
    _changes((2000, 0.025), (8000, 0.005)),
    _changes((2000, 0.15), (8000, 0.45)),
    _changes((3000, 0.15), (10000, 0.2)),
]
"""The schedules of sherlock_schedule.yaml at a tenth of its updates, for 3 epochs, not 27."""

PLAN = (
    Stage(
        "sherlock_predict",
        2,
        ("train.epochs=6,75", "sweep.zip=[[train.predict,train.epochs]]"),
        "last 6, all 75 (75)",
        9,
    ),
    Stage("sherlock_layers", 8, ("train.epochs=2",), "2 (about 25)", 11.5),
    Stage("sherlock_momentum", 6, (), "1 (1)", 2.5),
    Stage("sherlock_clip_level", 3, ("train.epochs=1",), "1 (25)", 3.5),
    Stage("sherlock_cell", 6, ("train.epochs=1",), "1 (50)", 4),
    Stage("sherlock_optimizer", 3, ("train.epochs=1",), "1 (not said)", 2.5),
    # The longest first, so that both cores are busy to the end.
    Stage(
        "sherlock_basic_rnn",
        3,
        ("train.epochs=24", "train.sequence_length=10,5,3"),
        "24 (about 40)",
        7.5,
    ),
    Stage("sherlock_sequence_length", 2, ("train.epochs=6",), "6 (75)", 3.5),
    Stage("sherlock_learning_rate", 4, ("train.epochs=1",), "1 (25)", 4),
    Stage(
        "sherlock_schedule",
        4,
        ("train.epochs=3", f"train.changes=choice({','.join(SCHEDULES)})"),
        "3 (27)",
        6,
    ),
)
"""Stages in the order in which they run. A sweep copies what another one has trained: the trials of
6 epochs that predict the last word are one, and so are those of one epoch at the rate 0.05."""


def key(override: str) -> str:
    """Return the key that an override sets."""
    return override.partition("=")[0].lstrip("+~")


def command(stage: Stage, output: str, more: Sequence[str] = ()) -> list[str]:
    """Arguments of `python -m lm.sweep`; `more` overrides are in place of the stage's own."""
    given = {key(override) for override in more}
    zipped = not {"train.epochs", "train.predict"} & given
    own = [
        override
        for override in stage.overrides
        if key(override) not in given and (zipped or key(override) != "sweep.zip")
    ]
    return [f"+sweep={stage.sweep}", *own, f"output_dir={output}", *more]


def chosen(names: Iterable[str]) -> list[Stage]:
    """The stages of these names, with or without `sherlock_`; all of them for no name.

    Raises:
      ValueError: there is none of a name.
    """
    known = {stage.sweep.removeprefix("sherlock_"): stage for stage in PLAN}
    wanted = [name.removeprefix("sherlock_") for name in names]
    if unknown := set(wanted) - set(known):
        raise ValueError(f"{', '.join(sorted(unknown))}: no sweep of the study; see {list(known)}")
    return [stage for name, stage in known.items() if not wanted or name in wanted]
