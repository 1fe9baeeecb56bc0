"""Tables and lines on the terminal, by rich.

All that is printed goes through these functions. What a program prints is text of others: paths,
labels, words of a corpus, error messages. So brackets are no markup in it, and `:bug:` is no emoji.
"""

import re
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


def make_console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """Return a console that prints text as it stands, without markup, emoji and colours of its own.

    Args:
      file: where it prints; None: to `sys.stdout`, whatever that is at the time.
      stderr: print to `sys.stderr` instead.
    """
    return Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


_WIDEST = Console(width=10_000, markup=False, emoji=False)
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
    """Print a table; none of its cells is cut or folded.

    A table that is wider than the terminal has its headings folded. Where that does not suffice, it
    is printed beyond the edge, where a terminal goes on in the next line.
    """
    if console.is_terminal:
        fold_heads(table, console.width)
    table.width = _width(table)
    console.print(table, markup=False, emoji=False, highlight=False, crop=False)


def print_folded(console: Console, table: Table) -> None:
    """Print a table whose cells are folded where it is wider than the terminal, or 80 columns."""
    table.width = min(_width(table), console.width)
    for column in table.columns:
        column.overflow = "fold"
    console.print(table, markup=False, emoji=False, highlight=False)


def fold_heads(table: Table, width: int) -> None:
    """Fold the headings that are wider than what stands below them, in a table wider than this."""
    if _width(table) <= width:
        return
    for column in table.columns:
        if isinstance(column.header, str):
            below = max((_width(cell) for cell in column.cells), default=0)
            column.header = _folded(column.header, below)


def _folded(head: str, width: int) -> str:
    """Fold a heading after `_`, `/` and blanks, to a width where its parts allow it."""
    lines = [""]
    for part in re.findall(r"[^_/ ]*[_/ ]?", head):
        if lines[-1] and cell_len(lines[-1] + part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def _width(renderable: RenderableType) -> int:
    return Measurement.get(_WIDEST, _WIDEST.options, renderable).maximum


def print_rest(console: Console, hidden: int, where: str) -> None:
    """Print how many rows a table leaves out, if any, and where they are."""
    if hidden > 0:
        print_line(console, f"... and {hidden} more: {where}")


def print_line(console: Console, text: str = "", style: str | None = None) -> None:
    """Print a line without markup, emoji, colours of numbers, or line breaks of the console's own.

    Args:
      console: where to print.
      text: the line; without it, an empty one.
      style: of the whole line, such as `bold`.
    """
    console.print(Text(text, style=style or ""), soft_wrap=True)


def print_text(console: Console, text: Text, *, fold: bool = True) -> None:
    """Print a text of several styles, folded at blanks to the terminal's width unless told not."""
    console.print(text, soft_wrap=not fold)


def format_number(value: float | None, digits: int = 6) -> str:
    """Return a number with this many significant digits; an empty text for None."""
    return "" if value is None else f"{value:.{digits}g}"
