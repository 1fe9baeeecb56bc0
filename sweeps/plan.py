"""From a search space to trials that are composed, checked and named, before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.space import Space, digits_needed, short_keys, trial_name
from sweeps.store import fingerprint


@dataclass(frozen=True)
class Planned:
    """A trial that can be run."""

    name: str
    settings: Mapping[str, str]
    """Axis key in full -> label."""
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    fingerprint: str


def plan(
    space: Space,
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    identify: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> list[Planned]:
    """Compose, check and name every trial; those that would compute the same appear once.

    Args:
      space: what varies.
      compose: overrides -> resolved configuration of plain values.
      identify: configuration -> what defines its result; raises UserError where it is invalid.
    """
    found: dict[str, tuple[dict[str, str], tuple[str, ...], Mapping[str, Any]]] = {}
    for values in space.grid():
        overrides = (*space.fixed, *(value.override for value in values))
        config = compose(overrides)
        labels = [value.label for value in values]
        settings = dict(zip((axis.key for axis in space.axes), labels, strict=True))
        found.setdefault(fingerprint(identify(config)), (settings, overrides, config))
    digits, short = digits_needed(found), short_keys([axis.key for axis in space.axes])
    return [
        Planned(
            name=trial_name(dict(zip(short, settings.values(), strict=True)), key, digits),
            settings=settings,
            overrides=overrides,
            config=config,
            fingerprint=key,
        )
        for key, (settings, overrides, config) in found.items()
    ]
