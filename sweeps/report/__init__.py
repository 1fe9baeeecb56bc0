"""A comparison of trials as one HTML page that works from disk, without a network.

The folder `static` has the page's template, its style and its program, which are built from the
folder `page`.
"""

from pathlib import Path
from typing import Any

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.importance import Importance
from sweeps.io import html
from sweeps.report.data import page_data


def write_report(
    path: Path, comparison: Comparison, shares: Importance, live: float | None = None
) -> None:
    """Write the page of a comparison.

    Args:
      path: the file; its folder exists.
      comparison: the ranked trials.
      shares: importance of the axes.
      live: seconds after which an open page reads the file again; None: it does not.

    Raises:
      UserError: the file cannot be written.
    """
    html.write_page(path, render(page_data(comparison, shares, live)), "--html")


def render(data: dict[str, Any]) -> str:
    """Return the page's text.

    Args:
      data: data of `sweeps.report.data.page_data`.
    """
    return html.render(
        _static_file("page.html"),
        str(data["title"]),
        data,
        style=_static_file("page.css"),
        program=_static_file("page.js"),
    )


def _static_file(name: str) -> str:
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")
