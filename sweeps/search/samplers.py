"""Axes -> the settings to train: which combinations, in which order. Pure.

A *dimension* is one axis, or several that `sweep.zip` steps together. A *setting* has one value of
each axis, in the axes' order.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from sweeps.config.options import SearchConfig
from sweeps.errors import UserError
from sweeps.naming import label
from sweeps.search.space import Axis, Interval, Space, Value

Setting = tuple[Value, ...]

ATTEMPTS = 100
"""Draws for each wanted setting before a random search gives up finding new ones."""


@dataclass(frozen=True)
class Dimension:
    """Axes that move together."""

    axes: tuple[Axis, ...]

    @property
    def key(self) -> str:
        """Names it among the others."""
        return "+".join(axis.key for axis in self.axes)

    @property
    def interval(self) -> Interval | None:
        """Of a continuous one, which is always a single axis."""
        return self.axes[0].interval

    @property
    def size(self) -> int:
        """Number of values; 0 for an interval."""
        return len(self.axes[0].values)

    def at(self, position: float) -> dict[str, Value]:
        """Values by axis key: of an index, or of a number of the interval."""
        if self.interval:
            axis = self.axes[0]
            return {axis.key: axis.number(self.interval.rounded(position))}
        return {axis.key: axis.values[int(position)] for axis in self.axes}

    def find(self, labels: Mapping[str, str]) -> float | None:
        """The position with these labels, by axis key; None if there is none."""
        if self.interval:
            try:
                number = float(labels.get(self.key, ""))
            except ValueError:
                return None
            inside = self.interval.start <= number <= self.interval.end
            return number if inside else None
        for at in range(self.size):
            if all(axis.values[at].label == labels.get(axis.key) for axis in self.axes):
                return at
        return None


def dimensions(space: Space, zipped: Sequence[Sequence[str]]) -> list[Dimension]:
    """Join the axes that are to step together; the others stand alone.

    Raises:
      UserError: a zipped key is no axis, stands twice, or has another number of values.
    """
    axes = {axis.key: axis for axis in space.axes}
    group_of: dict[str, tuple[Axis, ...]] = {}
    for keys in zipped:
        for key in keys:
            if key not in axes:
                raise UserError(
                    f"sweep.zip names {key}, which is not swept; the axes are {', '.join(axes)}."
                )
            if key in group_of or list(keys).count(key) > 1:
                raise UserError(f"sweep.zip names {key} twice; one of them is too many.")
        group = tuple(axes[key] for key in keys)
        counts = {len(axis.values) for axis in group}
        if len(counts) > 1 or 0 in counts:
            sizes = ", ".join(f"{axis.key} has {len(axis.values) or 'no end of'}" for axis in group)
            raise UserError(f"sweep.zip needs the same number of values of each axis, but {sizes}.")
        group_of |= dict.fromkeys(keys, group)
    found = dict.fromkeys(group_of.get(key, (axis,)) for key, axis in axes.items())
    return [Dimension(group) for group in found]


def all_settings(
    space: Space,
    options: SearchConfig,
    zipped: Sequence[Sequence[str]] = (),
    exclude: Sequence[str] = (),
) -> list[Setting]:
    """Every setting of a grid or random search; those of Optuna come one by one, as it learns.

    A random search draws each dimension by a generator of its own, seeded by `options.seed`, its
    key and the trial's number: more trials, or another axis, leave the draws there were.

    Raises:
      UserError: nothing is left, or a grid has an interval and no number of trials.
    """
    found = dimensions(space, zipped)
    excluded = exclusion_rule(space, exclude)
    draw = _random if options.kind == "random" else _grid
    every = (setting_at(space, found, place) for place in draw(found, options))
    kept = list(
        itertools.islice(
            _distinct(every, excluded), options.trials if options.kind == "random" else None
        )
    )
    if not kept:
        raise UserError("sweep.exclude leaves no trial; take something out of it.")
    return kept


def setting_at(space: Space, found: Sequence[Dimension], place: Sequence[float]) -> Setting:
    """The setting at a position of each dimension."""
    values: dict[str, Value] = {}
    for dimension, position in zip(found, place, strict=True):
        values |= dimension.at(position)
    return tuple(values[axis.key] for axis in space.axes)


def position_of(found: Sequence[Dimension], labels: Mapping[str, str]) -> tuple[float, ...] | None:
    """Where a trial with these labels lies; None if it lies outside."""
    place = [dimension.find(labels) for dimension in found]
    return None if None in place else tuple(at for at in place if at is not None)


def exclusion_rule(space: Space, texts: Sequence[str]) -> Callable[[Setting], bool]:
    """Whether a setting matches one of `sweep.exclude`: each text is `key=value,key=value`.

    Raises:
      UserError: a text names what is not swept, or cannot be read.
    """
    keys = [axis.key for axis in space.axes]
    rules = [_rule(text, keys) for text in texts]

    def excluded(setting: Setting) -> bool:
        return any(all(setting[at].label == text for at, text in rule) for rule in rules)

    return excluded


def _rule(text: str, keys: Sequence[str]) -> list[tuple[int, str]]:
    rule = []
    for part in re.split(r",(?=\s*[\w./@+]+=)", text):
        try:
            override = OverridesParser.create().parse_override(part.strip())
        except HydraException as error:
            raise UserError(
                f"sweep.exclude has {part!r}, which is not of the form key=value."
            ) from error
        if override.key_or_group not in keys:
            raise UserError(
                f"sweep.exclude names {override.key_or_group}, which is not swept; the axes are "
                f"{', '.join(keys)}."
            )
        rule.append((keys.index(override.key_or_group), label(override.value())))
    return rule


def _grid(found: Sequence[Dimension], options: SearchConfig) -> Iterator[tuple[float, ...]]:
    """All combinations, the rightmost dimension fastest; intervals drawn anew for each trial."""
    open_ended = [dimension.key for dimension in found if dimension.interval]
    if open_ended and options.trials is None:
        raise UserError(
            f"{', '.join(open_ended)} has no end of values, and a grid needs each one; list them, "
            "as in key=0.01,0.1, or say how many draws to train with search.trials=N, or take "
            "search=random or search=optuna."
        )
    rounds = range(options.trials or 1) if open_ended else range(1)
    return itertools.chain.from_iterable(
        itertools.product(
            *(
                [dimension.interval.at(_share(dimension, index, options.seed))]
                if dimension.interval
                else range(dimension.size)
                for dimension in found
            )
        )
        for index in rounds
    )


def _random(found: Sequence[Dimension], options: SearchConfig) -> Iterator[tuple[float, ...]]:
    assert options.trials is not None
    if count_settings(found) <= options.trials:
        return _grid(found, options)
    return (
        tuple(
            dimension.interval.at(share) if dimension.interval else int(share * dimension.size)
            for dimension in found
            for share in [_share(dimension, index, options.seed)]
        )
        for index in range(options.trials * ATTEMPTS)
    )


def count_settings(found: Sequence[Dimension]) -> float:
    """How many settings there are; infinite with an interval."""
    product = 1.0
    for dimension in found:
        product *= float("inf") if dimension.interval else dimension.size
    return product


def _share(dimension: Dimension, index: int, seed: int) -> float:
    return random.Random(f"{seed}/{dimension.key}/{index}").random()


def _distinct(every: Iterable[Setting], excluded: Callable[[Setting], bool]) -> Iterator[Setting]:
    seen = set()
    for setting in every:
        if setting not in seen and not excluded(setting):
            seen.add(setting)
            yield setting
