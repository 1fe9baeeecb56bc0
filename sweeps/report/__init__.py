"""A comparison as one HTML page that works from disk, without a network.

page.html is its frame, page.css its looks; the scripts beside it are one program, in the order of
`SCRIPTS`. Plotly's script is embedded whole.
"""

from pathlib import Path
from typing import Any

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.importance import Importance
from sweeps.io import html
from sweeps.report.data import page_data

SCRIPTS = ("state", "marks", "curves", "parallel", "heatmap", "means", "table", "page")
_POLICY = (  # plotly compiles code, and draws into images
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def write_report(path: Path, comparison: Comparison, shares: Importance) -> None:
    """Write the page.

    Args:
      path: the file; its folder exists.
      comparison: what the page shows.
      shares: importance of its axes.

    Raises:
      UserError: the file cannot be written.
    """
    html.write_page(path, render(page_data(comparison, shares)), "--html")


def render(data: dict[str, Any]) -> str:
    """The page's text."""
    from plotly.offline import get_plotlyjs

    return html.render(
        _file("page.html"),
        str(data["title"]),
        data,
        _POLICY,
        style=_file("page.css"),
        plotly=get_plotlyjs(),
        program="\n".join(_file(f"{name}.js") for name in SCRIPTS),
    )


def _file(name: str) -> str:
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")
