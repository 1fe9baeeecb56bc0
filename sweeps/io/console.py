"""Tables and lines on the terminal."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDE = Console(width=1000)


def make_table(*heads: str) -> Table:
    """An empty table without rules; columns of words keep to the left."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(head, justify="left" if head in ("sweep", "axis") else "right")
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table whole, wherever it goes."""
    if not console.is_terminal:  # a pipe has no width: there the table takes what it needs
        console.width = max(console.width, Measurement.get(_WIDE, _WIDE.options, table).maximum)
    console.print(table)


def print_rest(console: Console, hidden: int, where: str) -> None:
    """Say how many rows a table leaves out, and where they are."""
    if hidden > 0:
        print_line(console, f"... and {hidden} more: {where}")


def print_line(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def format_number(value: float | None, digits: int = 6) -> str:
    """A number for the eye; nothing for None."""
    return "" if value is None else f"{value:.{digits}g}"
