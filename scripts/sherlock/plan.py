"""What is run: every sweep of the study, at a length that two cores finish in an hour."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

EPOCH = 348
"""Updates of an epoch with `train.predict=all`; 20 times as many make one with `last`."""


class Stage(NamedTuple):
    """A sweep of the study and how long each of its trials is."""

    sweep: str
    """The file of conf/sweep, and the folder."""
    trials: int
    overrides: tuple[str, ...]
    epochs: str
    """In words, beside those of the study."""
    minutes: float
    """On two cores of its own, measured or, for what has not been run, from the cost of updates."""


def _changes(*rates: tuple[int, float]) -> str:
    """A schedule: epochs before it, learning rate."""
    parts = (f"{{step: {epoch * EPOCH}, optimizer.learning_rate: {rate}}}" for epoch, rate in rates)
    return f"[{', '.join(parts)}]"


SCHEDULES = [
    _changes(),
    _changes((3, 0.025), (10, 0.005)),
    _changes((3, 0.15), (10, 0.45)),
    _changes((4, 0.15), (13, 0.2)),
]
"""As conf/sweep/sherlock_schedule.yaml has them, at the epochs of the study: 7,723 updates each."""

PLAN = (
    Stage(
        "sherlock_predict",
        2,
        ("train.epochs=8,75", "sweep.zip=[[train.predict,train.epochs]]"),
        "last 8, all 75 (75)",
        13,
    ),
    Stage("sherlock_layers", 8, ("train.predict=all", "train.epochs=20"), "all 20 (about 25)", 8.5),
    Stage("sherlock_momentum", 6, (), "1 (1)", 2),
    Stage("sherlock_clip_level", 3, ("train.epochs=1",), "1 (25)", 3.5),
    Stage("sherlock_cell", 6, ("train.epochs=1",), "1 (50)", 5.5),
    Stage("sherlock_optimizer", 3, ("train.epochs=1",), "1 (not said)", 2.5),
    Stage("sherlock_basic_rnn", 3, ("train.epochs=24",), "24 (about 40)", 11),
    Stage("sherlock_sequence_length", 2, ("train.epochs=8",), "8 (75)", 4),
    Stage("sherlock_learning_rate", 4, ("train.epochs=1",), "1 (25)", 4),
    Stage(
        "sherlock_schedule",
        4,
        ("train.predict=all", "train.epochs=20", f"train.changes=choice({','.join(SCHEDULES)})"),
        "all 20 (27)",
        4,
    ),
)
"""In the order in which they are run. A sweep copies what another one has trained: the trials of 8
epochs that predict the last word are one, and so are those of one epoch at the rate 0.05."""


def key(override: str) -> str:
    """What an override sets."""
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
