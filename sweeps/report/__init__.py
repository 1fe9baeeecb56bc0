"""A comparison of trials as one HTML page that works from disk, without a network.

The folder `static` has the page's template, its style and its scripts. Plotly's script is embedded
whole.
"""

from pathlib import Path
from typing import Any

from sweeps.analysis.comparison import Comparison
from sweeps.analysis.importance import Importance
from sweeps.io import html
from sweeps.report.data import page_data

SCRIPTS = ("state", "marks", "curves", "parallel", "heatmap", "means", "table", "page")
"""Scripts of the page, in the order in which they are joined."""
_CONTENT_POLICY = (  # plotly compiles code, and draws into images
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:"
)


def write_report(path: Path, comparison: Comparison, shares: Importance) -> None:
    """Write the page of a comparison.

    Args:
      path: the file; its folder exists.
      comparison: the ranked trials.
      shares: importance of the axes.

    Raises:
      UserError: the file cannot be written.
    """
    html.write_page(path, render(page_data(comparison, shares)), "--html")


def render(data: dict[str, Any]) -> str:
    """Return the page's text.

    Args:
      data: data of `sweeps.report.data.page_data`.
    """
    from plotly.offline import get_plotlyjs

    return html.render(
        _static_file("page.html"),
        str(data["title"]),
        data,
        _CONTENT_POLICY,
        style=_static_file("page.css"),
        plotly=get_plotlyjs(),
        program="\n".join(_static_file(f"{name}.js") for name in SCRIPTS),
    )


def _static_file(name: str) -> str:
    return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")
