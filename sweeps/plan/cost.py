"""What trials cost: each by itself, in packs, and all of a sweep together. Pure."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

SESSION_SECONDS = 10.0
"""Before a sweep's first trial and after its last (benchmarks/RESULTS.md)."""
SESSION_BYTES = 900_000_000
"""Ray's own processes and the command, resident; measured with Ray 2.60."""
WORKER_BYTES = 180_000_000
"""What Ray adds to the process that trains."""


@dataclass(frozen=True)
class Cost:
    """What one trial takes, from its first step to its last."""

    program: str
    """Trials with the same text share compiled code."""
    parameters: int
    seconds: float
    """With compilation, evaluation and checkpoints."""
    bytes: int
    """Largest resident size of a process that does nothing else."""
    compile_seconds: float = 0.0
    """Part of `seconds` that a process saves if it has trained this program before."""
    lane_bytes: int | None = None
    """Part of `bytes` that a further trial of a pack adds; None: all."""


def pack_cost(costs: Sequence[Cost], pay: int) -> Cost:
    """What trials cost that train together, if so many of them take as long as one.

    A pack of another width is another program.
    """
    updates = [cost.seconds - cost.compile_seconds for cost in costs]
    compiling = max(cost.compile_seconds for cost in costs)
    first, *rest = sorted(costs, key=lambda cost: cost.bytes, reverse=True)
    more = sum(cost.bytes if cost.lane_bytes is None else cost.lane_bytes for cost in rest)
    return replace(
        first,
        program=f"{first.program} x {len(costs)}",
        seconds=compiling + max(*updates, sum(updates) / pay),
        bytes=first.bytes + more,
        compile_seconds=compiling,
    )


def wall_seconds(costs: Sequence[Cost], slots: int) -> float:
    """Time until the last trial ends, if each starts in this order in the first slot that is free.

    A slot is a process that lives on: it compiles each program once.
    """
    free = [(0.0, slot) for slot in range(slots)]
    compiled: list[set[str]] = [set() for _ in free]
    for cost in costs:
        time, slot = free[0]
        saved = cost.compile_seconds if cost.program in compiled[slot] else 0.0
        compiled[slot].add(cost.program)
        heapq.heapreplace(free, (time + cost.seconds - saved, slot))
    return max(time for time, _ in free)


def peak_bytes(costs: Sequence[Cost], slots: int) -> int:
    """Memory of the whole sweep, if its largest trials ever run at the same time."""
    largest = heapq.nlargest(slots, (cost.bytes for cost in costs))
    return SESSION_BYTES + sum(size + WORKER_BYTES for size in largest)
