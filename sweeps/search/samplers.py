"""Grid and random search: the settings of a search space to train, in order. Pure.

A *dimension* is one axis, or several axes that `sweep.zip` steps together. A *setting* has one
value of each axis, in the axes' order. A *position* has one number for each dimension: an index
into its values, or a number of its interval.
"""

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from sweeps.config import SearchConfig
from sweeps.errors import UserError
from sweeps.labels import are_numbers
from sweeps.naming import label
from sweeps.search.space import Axis, Interval, Space, Value

Setting = tuple[Value, ...]
"""One value of each axis, in the axes' order."""
Position = Sequence[float]
"""An index into the values of each dimension, or a number of its interval."""

ATTEMPTS = 100
"""Draws of a random search for each wanted setting, before it gives up finding new ones."""


@dataclass(frozen=True)
class Dimension:
    """One axis, or several with equally many values, whose n-th values belong together."""

    axes: tuple[Axis, ...]

    @property
    def key(self) -> str:
        """Name of the dimension: the keys of its axes, joined by `+`."""
        return "+".join(axis.key for axis in self.axes)

    @property
    def interval(self) -> Interval | None:
        """Interval of a continuous dimension, which is always a single axis; else None."""
        return self.axes[0].interval

    @property
    def size(self) -> int:
        """Number of values; 0 for an interval."""
        return len(self.axes[0].values)

    def values_at(self, position: float) -> dict[str, Value]:
        """Return axis key -> value, at an index or at a number of the interval."""
        if self.interval:
            axis = self.axes[0]
            return {axis.key: axis.value_at(self.interval.rounded(position))}
        return {axis.key: axis.values[int(position)] for axis in self.axes}

    def position_of(self, labels: Mapping[str, str]) -> float | None:
        """Return the position at which the axes have these labels, by axis key; else None."""
        if self.interval:
            try:
                number = float(labels.get(self.key, ""))
            except ValueError:
                return None
            inside = self.interval.start <= number <= self.interval.end
            fits = inside and (number.is_integer() or not self.interval.integer)
            return number if fits else None
        for index in range(self.size):
            if all(axis.values[index].label == labels.get(axis.key) for axis in self.axes):
                return index
        return None

    def position_of_some(self, labels: Mapping[str, str]) -> float | None:
        """Return the first position at which those of the axes that have a label here have it."""
        if self.interval:
            return self.position_of(labels)
        for index in range(self.size):
            if all(
                axis.values[index].label == labels.get(axis.key, axis.values[index].label)
                for axis in self.axes
            ):
                return index
        return None

    @property
    def is_ordered(self) -> bool:
        """Whether its values are numbers, which have an order: an interval, or a list of numbers.

        Axes that step together have none.
        """
        if self.interval:
            return True
        return len(self.axes) == 1 and are_numbers(value.label for value in self.axes[0].values)

    @property
    def order(self) -> list[int]:
        """Indices of its listed values, by size where they are numbers."""
        labels = [value.label for value in self.axes[0].values]
        if not self.is_ordered:
            return list(range(self.size))
        return sorted(range(self.size), key=lambda index: float(labels[index]))


def dimensions(space: Space, zipped: Sequence[Sequence[str]]) -> list[Dimension]:
    """Return the dimensions of a space, in the order of their first axes.

    Args:
      space: the search space.
      zipped: groups of axis keys that step together (`sweep.zip`).

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
    """Return every setting of a grid or random search.

    A random search draws each dimension by a generator of its own, which is seeded by
    `options.seed`, the dimension's key and the trial's number. More trials, or another axis, leave
    the earlier draws as they were. The settings of `options.first` come before the draws; what
    they leave open is drawn.

    Args:
      space: the search space.
      options: kind, number of trials and seed of the search.
      zipped: groups of axis keys that step together (`sweep.zip`).
      exclude: settings to leave out (`sweep.exclude`).

    Raises:
      UserError: nothing is left, or a grid has an interval and no number of trials.
    """
    found = dimensions(space, zipped)
    excluded = exclusion_rule(space, exclude)
    draw = _random if options.kind == "random" else _grid
    firsts = first_positions(space, found, options.first, exclude)
    positions = itertools.chain(_completed(firsts, found, options), draw(found, options))
    drawn = (setting_at(space, found, position) for position in positions)
    kept = list(
        itertools.islice(
            _distinct(drawn, excluded), options.trials if options.kind == "random" else None
        )
    )
    if not kept:
        raise UserError("sweep.exclude leaves no trial; take something out of it.")
    return kept


def setting_at(space: Space, found: Sequence[Dimension], position: Position) -> Setting:
    """Return the setting at a position of these dimensions."""
    values: dict[str, Value] = {}
    for dimension, number in zip(found, position, strict=True):
        values |= dimension.values_at(number)
    return tuple(values[axis.key] for axis in space.axes)


def position_of(found: Sequence[Dimension], labels: Mapping[str, str]) -> tuple[float, ...] | None:
    """Return the position of a trial with these labels; None if the dimensions lack one of them."""
    numbers = [dimension.position_of(labels) for dimension in found]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) else None


def first_positions(
    space: Space,
    found: Sequence[Dimension],
    texts: Sequence[str],
    exclude: Sequence[str] = (),
) -> list[tuple[float | None, ...]]:
    """Return the position of each setting of `search.first`; None where it has no value.

    Args:
      space: the search space.
      found: its dimensions.
      texts: `search.first`: settings of the form `key=value,key=value`.
      exclude: `sweep.exclude`.

    Raises:
      UserError: a text names what is not swept, or a value that the axis does not have; or
        `sweep.exclude` leaves the setting out.
    """
    keys = [axis.key for axis in space.axes]
    is_excluded = exclusion_rule(space, exclude)
    positions = []
    for text in texts:
        labels = {keys[index]: given for index, given in _rule("search.first", text, keys)}
        position = tuple(_first_on(dimension, labels) for dimension in found)
        known = [number for number in position if number is not None]
        if len(known) == len(position) and is_excluded(setting_at(space, found, known)):
            raise UserError(
                f"search.first has {text!r}, which sweep.exclude leaves out; take it out of one."
            )
        positions.append(position)
    return positions


def _first_on(dimension: Dimension, labels: Mapping[str, str]) -> float | None:
    given = {axis.key: labels[axis.key] for axis in dimension.axes if axis.key in labels}
    if not given:
        return None
    position = dimension.position_of_some(given)
    if position is None:
        wanted = ",".join(f"{key}={text}" for key, text in given.items())
        interval = dimension.interval
        there = (
            f"its numbers are {'whole and ' * interval.integer}from {interval.start:g} to "
            f"{interval.end:g}"
            if interval
            else "its values are " + ", ".join(_texts_of(dimension))
        )
        raise UserError(f"search.first has {wanted}, which the axis does not have; {there}.")
    return position


def _texts_of(dimension: Dimension) -> Iterator[str]:
    for index in range(dimension.size):
        yield "+".join(axis.values[index].label for axis in dimension.axes)


def exclusion_rule(space: Space, texts: Sequence[str]) -> Callable[[Setting], bool]:
    """Return a function that reports whether a setting is excluded.

    Args:
      space: the search space.
      texts: `sweep.exclude`; a setting with all values of `key=value,key=value` is excluded.

    Raises:
      UserError: a text names what is not swept, or cannot be read.
    """
    keys = [axis.key for axis in space.axes]
    rules = [_rule("sweep.exclude", text, keys) for text in texts]

    def excluded(setting: Setting) -> bool:
        return any(all(setting[index].label == text for index, text in rule) for rule in rules)

    return excluded


def _rule(option: str, text: str, keys: Sequence[str]) -> list[tuple[int, str]]:
    """Return pairs of an axis's index and the label that an option's text gives to it."""
    rule = []
    for override in _parts(option, text):
        if override.key_or_group not in keys:
            raise UserError(
                f"{option} names {override.key_or_group}, which is not swept; the axes are "
                f"{', '.join(keys)}."
            )
        rule.append((keys.index(override.key_or_group), label(override.value())))
    return rule


def _parts(option: str, text: str) -> Iterator[Override]:
    """Overrides with commas between them, which may stand within quotes as well."""
    begun: list[str] = []
    for part in re.split(r",(?=\s*[\w./@+]+=)", text):
        begun.append(part)
        try:
            override = OverridesParser.create().parse_override(",".join(begun).strip())
        except HydraException:
            continue  # a comma within quotes: the next part belongs to it
        begun.clear()
        yield override
    if begun:
        raise UserError(f"{option} has {','.join(begun)!r}, which is not of the form key=value.")


def _grid(found: Sequence[Dimension], options: SearchConfig) -> Iterator[tuple[float, ...]]:
    """Yield all combinations, the rightmost dimension fastest, with intervals drawn for each."""
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
                [dimension.interval.quantile(_uniform(dimension, index, options.seed))]
                if dimension.interval
                else range(dimension.size)
                for dimension in found
            )
        )
        for index in rounds
    )


def _completed(
    firsts: Sequence[Sequence[float | None]], found: Sequence[Dimension], options: SearchConfig
) -> Iterator[tuple[float, ...]]:
    """Yield these positions, with a draw for each number that is left open."""
    for index, position in enumerate(firsts):
        yield tuple(
            _draw(dimension, index, options.seed) if number is None else number
            for dimension, number in zip(found, position, strict=True)
        )


def _draw(dimension: Dimension, index: int, seed: int) -> float:
    share = _uniform(dimension, index, seed)
    if dimension.interval:
        return dimension.interval.quantile(share)
    return int(share * dimension.size)


def _random(found: Sequence[Dimension], options: SearchConfig) -> Iterator[tuple[float, ...]]:
    assert options.trials is not None
    if count_settings(found) <= options.trials:
        return _grid(found, options)
    return (
        tuple(_draw(dimension, index, options.seed) for dimension in found)
        for index in range(options.trials * ATTEMPTS)
    )


def count_settings(found: Sequence[Dimension]) -> float:
    """Return the number of settings, infinite with an interval."""
    product = 1.0
    for dimension in found:
        product *= float("inf") if dimension.interval else dimension.size
    return product


def _uniform(dimension: Dimension, index: int, seed: int) -> float:
    """Return a number from 0 to 1 for a dimension and the index of a trial."""
    return random.Random(f"{seed}/{dimension.key}/{index}").random()


def _distinct(drawn: Iterable[Setting], excluded: Callable[[Setting], bool]) -> Iterator[Setting]:
    """Yield each setting once, without the excluded ones."""
    seen = set()
    for setting in drawn:
        if setting not in seen and not excluded(setting):
            seen.add(setting)
            yield setting
