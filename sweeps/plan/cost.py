"""Costs of trials, packs and a whole sweep in time and memory. All functions are pure."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

SESSION_SECONDS = 10.0
"""Time before a sweep's first trial and after its last (benchmarks/RESULTS.md)."""
SESSION_BYTES = 900_000_000
"""Resident memory of Ray's own processes and the command, measured with Ray 2.60."""
WORKER_BYTES = 180_000_000
"""Memory that Ray adds to the process that trains."""


@dataclass(frozen=True)
class Cost:
    """Time and memory of one trial from its first step to its last."""

    program: str
    """Names the compiled code. Trials with equal names share it."""
    parameters: int
    """Number of the model's parameters."""
    seconds: float
    """Training time, with compilation, evaluation and checkpoints."""
    bytes: int
    """Largest resident size of a process that trains this trial only."""
    compile_seconds: float = 0.0
    """Part of `seconds` that a process saves if it has compiled this program before."""
    lane_bytes: int | None = None
    """Part of `bytes` that each further trial of a pack adds; None: all of it."""
    checkpoint_bytes: int | None = None
    """Size of a checkpoint on the disk; None: not known."""
    num_kept: int = 0
    """Checkpoints that the finished trial keeps at most."""


def pack_cost(costs: Sequence[Cost], free_lanes: int) -> Cost:
    """Compute the cost of a pack. A pack of another size is another program.

    Args:
      costs: of its trials.
      free_lanes: trials of a pack that take as long as one.
    """
    updates = [cost.seconds - cost.compile_seconds for cost in costs]
    compiling = max(cost.compile_seconds for cost in costs)
    first, *rest = sorted(costs, key=lambda cost: cost.bytes, reverse=True)
    more = sum(cost.bytes if cost.lane_bytes is None else cost.lane_bytes for cost in rest)
    return replace(
        first,
        program=f"{first.program} x {len(costs)}",
        seconds=compiling + max(*updates, sum(updates) / free_lanes),
        bytes=first.bytes + more,
        compile_seconds=compiling,
    )


def wall_seconds(costs: Sequence[Cost], slots: int) -> float:
    """Compute the time until all trials end, if each starts in order in the first free slot.

    A slot is a process that trains one trial after another and compiles each program once.
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
    """Compute the memory of the whole sweep while its largest trials run at the same time."""
    largest = heapq.nlargest(slots, (cost.bytes for cost in costs))
    return SESSION_BYTES + sum(size + WORKER_BYTES for size in largest)
