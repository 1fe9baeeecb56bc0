"""Which trials train together, in one process. Pure.

A *pack* is trained by one call of the application's `pack` function; its trials are its *lanes*.
Trials of equal `groups` may share one. How wide a pack may be is asked of `lanes`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweeps.config.application import Application
from sweeps.config.hooks import locate
from sweeps.config.options import FrameworkConfig, leads
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint

ONE, AUTO = "1", "auto"
"""Values of `sweep.pack`; a number above one is the other."""

Config = Mapping[str, Any]


class PackLimits(NamedTuple):
    """How many trials may train together in one slot of the machine."""

    fit: int
    """Into its memory."""
    pay: int
    """So many take about as long as one; 1: a pack of k takes as long as k trials."""


@dataclass(frozen=True)
class Pack:
    """Trials that one worker trains together, by their places in the list of all."""

    members: tuple[int, ...]
    together: bool
    """Whether the `pack` function trains it, be it of one trial; else it is one, trained alone."""
    pay: int = 1
    """See `PackLimits`."""


@dataclass(frozen=True)
class Packer:
    """How the trials of a sweep are packed."""

    groups: Callable[[Config], Any]
    """Configuration -> what must be equal."""
    lanes: Callable[[Config, int, float], PackLimits]
    """Configuration, CPUs and GPUs of a slot -> limits."""
    most: int | None
    """Lanes that the user allows; None: as many as pay."""

    def packs(
        self,
        configs: Sequence[Config],
        slots: int,
        cpus: int,
        gpus: float,
        halvings: Sequence[int] = (),
    ) -> list[Pack]:
        """Pack trials in their order; those of `auto` over all slots, each as evenly as can be.

        Args:
          configs: of the trials that are to be run.
          slots: packs that run at a time.
          cpus: of a slot.
          gpus: of a slot.
          halvings: how often each trial's pack has shown to be too wide.
        """
        members: dict[tuple[int, str], list[int]] = {}
        for place, config in enumerate(configs):
            times = halvings[place] if halvings else 0
            group_of = times, fingerprint({"": self.groups(config)})
            members.setdefault(group_of, []).append(place)
        share = math.ceil(len(configs) / slots)
        found = []
        for (times, _), group in members.items():
            fit, pay = self.lanes(configs[group[0]], cpus, gpus)
            limit = min(fit, pay if self.most is None else self.most)
            if limit < 2:
                found += [Pack((place,), together=False) for place in group]
                continue
            width = max(1, (limit if self.most else min(limit, share)) >> times)
            found += [Pack(part, True, pay) for part in _split(group, width, not self.most)]
        return sorted(found, key=lambda pack: pack.members[0])


def pack_summary(packs: Sequence[Pack]) -> str:
    """`in 6 packs of up to 8`; empty where no trials train together."""
    widths = [len(pack.members) for pack in packs if pack.together]
    if not widths:
        return ""
    count = f"{len(widths)} pack{'s' if len(widths) > 1 else ''} of up to {max(widths)}"
    alone = len(packs) - len(widths)
    return f"in {count}" + (f", {alone} alone" if alone else "")


def _split(group: Sequence[int], width: int, evenly: bool) -> list[tuple[int, ...]]:
    count = math.ceil(len(group) / width)
    if evenly:
        sizes = [len(group) // count + (place < len(group) % count) for place in range(count)]
    else:
        sizes = [min(width, len(group) - place * width) for place in range(count)]
    ends = [sum(sizes[: place + 1]) for place in range(count)]
    return [tuple(group[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def build_packer(options: FrameworkConfig, application: Application) -> Packer | None:
    """How trials are packed; None: each is trained alone.

    Raises:
      UserError: a width is asked of a program that trains its trials one by one.
    """
    wish = options.sweep.pack
    if wish == ONE or (wish == AUTO and leads(options)):
        return None
    if application.pack is None or application.pack_key is None:
        if wish == AUTO:
            return None
        raise UserError(
            f"sweep.pack={wish} needs a program that can train several trials together, and this "
            "one cannot; take sweep.pack=1."
        )
    if application.pack_limits is None:
        return None if wish == AUTO else Packer(locate(application.pack_key), _unlimited, int(wish))
    lanes = locate(application.pack_limits)
    return Packer(locate(application.pack_key), lanes, None if wish == AUTO else int(wish))


def _unlimited(config: Config, cpus: int, gpus: float) -> PackLimits:
    """Of a program that does not say: as many as the user asks for."""
    return PackLimits(fit=2**31, pay=1)
