"""Metrics that a sweep minimises or maximises. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A metric, and which end of it is best."""

    tag: str
    mode: str
    """`min` or `max`."""

    def loss(self, value: float) -> float:
        """Return a value as a number that is smaller where the value is better."""
        return value if self.mode == "min" else -value


def parse_objective(text: str) -> Objective:
    """Read `TAG`, `TAG:min` or `TAG:max`; without a mode the lowest value is best."""
    tag, _, mode = text.rpartition(":")
    if mode in ("min", "max") and text != mode:
        return Objective(tag=tag, mode=mode)
    return Objective(tag=text, mode="min")
