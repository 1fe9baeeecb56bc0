"""Tables and lines on the terminal, by rich."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = Console(width=1000)
"""No table is wider; a table is measured as this console would print it."""


def make_table(*heads: str) -> Table:
    """Return an empty table without rules; all columns but `sweep` and `axis` are right-aligned.

    Args:
      *heads: the columns' headings.
    """
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head in ("sweep", "axis") else "right")
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table; in a pipe or a file, which have no width, none of its cells is cut."""
    if not console.is_terminal:
        width = Measurement.get(_WIDEST, _WIDEST.options, table).maximum
        console.width = max(console.width, width)
    console.print(table)


def print_rest(console: Console, hidden: int, where: str) -> None:
    """Print how many rows a table leaves out, if any, and where they are."""
    if hidden > 0:
        print_line(console, f"... and {hidden} more: {where}")


def print_line(console: Console, text: str) -> None:
    """Print a line without markup, colours or line breaks of the console's own."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def format_number(value: float | None, digits: int = 6) -> str:
    """Return a number with this many significant digits; an empty text for None."""
    return "" if value is None else f"{value:.{digits}g}"
