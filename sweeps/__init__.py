"""Sweeps of any program: its trials, their folders, their metrics.

`sweeps.load` reads them into pandas, which is imported only then.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.analysis.dataframes import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sweeps.analysis.dataframes import load

    return load
