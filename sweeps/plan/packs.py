"""Packs: which trials one worker trains together in one process. All functions are pure.

A *pack* is trained by one call of the application's `pack` function. Its trials are its *lanes*.
Trials of equal `pack_key` may share a pack; `pack_limits` says how many lanes it may have.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweeps.config import Application, FrameworkConfig, locate
from sweeps.config.options import leads
from sweeps.errors import UserError
from sweeps.store import fingerprint

ONE, AUTO = "1", "auto"
"""Values of `sweep.pack`; a number above one is the other."""

Config = Mapping[str, Any]


class PackLimits(NamedTuple):
    """Limits on the lanes of a pack in one slot of the machine."""

    max_lanes: int
    """Lanes that fit into the slot's memory."""
    free_lanes: int
    """Lanes that take about as long as one; 1: a pack of k takes as long as k trials."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Trials that one worker trains."""

    lanes: tuple[int, ...]
    """Indices of the trials in the list of all."""
    vectorized: bool
    """Whether the `pack` function trains them; else there is one trial, and the objective does."""
    free_lanes: int = 1
    """See `PackLimits`."""


@dataclass(frozen=True, kw_only=True)
class Packer:
    """Packs the trials of a sweep."""

    key: Callable[[Config], Any]
    """Configuration -> what must be equal in a pack."""
    limits: Callable[[Config, int, float], PackLimits]
    """Configuration, CPUs and GPUs of a slot -> limits."""
    max_lanes: int | None
    """Lanes that the user allows; None: as many as train for free."""

    def packs(
        self,
        configs: Sequence[Config],
        *,
        slots: int,
        cpus: int,
        gpus: float,
        halvings: Sequence[int] = (),
    ) -> list[Pack]:
        """Pack trials in their order; with `auto`, spread them evenly over all slots.

        Args:
          configs: of the trials that are to be run.
          slots: packs that run at a time.
          cpus: of a slot.
          gpus: of a slot.
          halvings: for each trial, how often the size of its pack is halved; empty: never.
        """
        groups: dict[tuple[int, str], list[int]] = {}
        for index, config in enumerate(configs):
            times = halvings[index] if halvings else 0
            group = times, fingerprint({"": self.key(config)})
            groups.setdefault(group, []).append(index)
        share = math.ceil(len(configs) / slots)
        packs = []
        for (times, _), indices in groups.items():
            fitting, free = self.limits(configs[indices[0]], cpus, gpus)
            limit = min(fitting, free if self.max_lanes is None else self.max_lanes)
            if limit < 2:
                packs += [Pack(lanes=(index,), vectorized=False) for index in indices]
                continue
            size = max(1, (limit if self.max_lanes else min(limit, share)) >> times)
            packs += [
                Pack(lanes=lanes, vectorized=True, free_lanes=free)
                for lanes in _split(indices, size, evenly=not self.max_lanes)
            ]
        return sorted(packs, key=lambda pack: pack.lanes[0])


def pack_summary(packs: Sequence[Pack]) -> str:
    """Describe packs: `in 6 packs of up to 8`; empty where each trial is trained alone."""
    sizes = [len(pack.lanes) for pack in packs if pack.vectorized]
    if not sizes:
        return ""
    count = f"{len(sizes)} pack{'s' if len(sizes) > 1 else ''} of up to {max(sizes)}"
    alone = len(packs) - len(sizes)
    return f"in {count}" + (f", {alone} alone" if alone else "")


def _split(indices: Sequence[int], size: int, *, evenly: bool) -> list[tuple[int, ...]]:
    count = math.ceil(len(indices) / size)
    if evenly:
        sizes = [len(indices) // count + (part < len(indices) % count) for part in range(count)]
    else:
        sizes = [min(size, len(indices) - part * size) for part in range(count)]
    ends = [sum(sizes[: part + 1]) for part in range(count)]
    return [tuple(indices[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def build_packer(options: FrameworkConfig, application: Application) -> Packer | None:
    """Make the packer that the options ask for; None: each trial is trained alone.

    Raises:
      UserError: packs are asked of an application that trains its trials one by one.
    """
    size = options.sweep.pack
    if size == ONE or (size == AUTO and leads(options)):
        return None
    if application.pack is None or application.pack_key is None:
        if size == AUTO:
            return None
        raise UserError(
            f"sweep.pack={size} needs a program that can train several trials together, and this "
            "one cannot; take sweep.pack=1."
        )
    if application.pack_limits is None and size == AUTO:
        return None
    return Packer(
        key=locate(application.pack_key),
        limits=locate(application.pack_limits) if application.pack_limits else _unlimited,
        max_lanes=None if size == AUTO else int(size),
    )


def _unlimited(config: Config, cpus: int, gpus: float) -> PackLimits:
    """Limits of an application that names none."""
    return PackLimits(max_lanes=2**31, free_lanes=1)
