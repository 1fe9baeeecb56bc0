"""Tables and lines on the terminal, by rich.

All that is printed goes through these functions. What a program prints is text of others: paths,
labels, words of a corpus, error messages. So brackets are no markup in it, and `:bug:` is no emoji.
"""

import re
from collections.abc import Iterable
from copy import copy
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


def fit_table(table: Table, width: int, least: Iterable[int] = ()) -> tuple[Table, list[str]]:
    """Return a table with folded headings and without columns, as far as a width asks for it.

    Args:
      table: any table; its headings may be folded.
      width: columns of the terminal.
      least: places of the columns that may be left out, the first one first.

    Returns:
      The table, which may be wider still; and the headings of the columns that it is without.
    """
    heads = [column.header for column in table.columns]
    left_out: list[int] = []
    fold_heads(table, width)
    for place in least:
        if _width(_without(table, left_out)) <= width:
            break
        left_out.append(place)
    for column, head in zip(table.columns, heads, strict=True):
        column.header = head
    fitted = _without(table, left_out)
    fold_heads(fitted, width)
    return fitted, [str(heads[place]) for place in left_out]


def fits(table: Table, width: int) -> bool:
    """Return whether a table is at most this wide."""
    return _width(table) <= width


def _without(table: Table, places: Iterable[int]) -> Table:
    """A table without the columns at these places."""
    gone = set(places)
    kept = (copy(one) for place, one in enumerate(table.columns) if place not in gone)
    found = Table(*kept, box=None, header_style="bold", pad_edge=False)
    found.rows.extend(table.rows)
    return found


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


def count_text(count: int, noun: str) -> str:
    """Return a number of things: `1 trial`, `2 trials`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_number(value: float | None, digits: int = 6) -> str:
    """Return a number with this many significant digits; an empty text for None."""
    return "" if value is None else f"{value:.{digits}g}"
