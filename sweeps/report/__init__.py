"""A comparison as one HTML page that works from disk, without a network.

page.html is its frame, page.css its looks; the scripts beside it are one program, in the order of
`SCRIPTS`. Plotly's script is embedded whole. Nothing in the page may fetch anything: its content
security policy says so to the browser.
"""

import html
import json
import re
from pathlib import Path
from typing import Any

from sweeps.comparison import Comparison
from sweeps.errors import UserError
from sweeps.files import write_text
from sweeps.importance import Importance
from sweeps.report.data import page_data

SCRIPTS = ("state", "marks", "curves", "parallel", "heatmap", "means", "table", "page")


def write_report(path: Path, comparison: Comparison, shares: Importance) -> None:
    """Write the page.

    Args:
      path: the file; its folder exists.
      comparison: what the page shows.
      shares: importance of its axes.

    Raises:
      UserError: the file cannot be written.
    """
    try:
        write_text(path, render(page_data(comparison, shares)))
    except UserError as error:
        reason = getattr(error.__cause__, "strerror", None) or "it cannot be written"
        raise UserError(f"cannot write {path} ({reason}); give --html another place.") from error


def render(data: dict[str, Any]) -> str:
    """The page's text."""
    from plotly.offline import get_plotlyjs

    parts = {
        "title": html.escape(str(data["title"])),
        "style": _file("page.css"),
        "plotly": get_plotlyjs(),
        "data": as_script(data),
        "program": "\n".join(_file(f"{name}.js") for name in SCRIPTS),
    }
    # One pass: what is put in is not searched again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def as_script(data: Any) -> str:
    """JSON that can stand within a script element.

    Raises:
      ValueError: it has a number that JSON lacks.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
