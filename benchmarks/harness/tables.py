"""Tables for the terminal, or to paste into RESULTS.md."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.harness import machine


class Table(NamedTuple):
    """Rows of text; the first `words` columns are read, the others are numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: int = 1


class Page:
    """Where a command's tables go: each as soon as it is there, the machine above the first."""

    def __init__(self, markdown: bool) -> None:
        self._markdown = markdown
        # Outside a terminal rich would fold at 80 columns, and a table here has more.
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console = Console(highlight=False, width=160)
        self.say(machine.describe())

    def say(self, sentence: str) -> None:
        """Print a line of text."""
        self._write(sentence)

    def show(self, table: Table) -> None:
        """Print a table."""
        if self._markdown:
            self._write("\n" + as_markdown(table))
        else:
            self._console.print(_as_rich(table))

    def _write(self, text: str) -> None:
        # Not through rich, which would fold and mark up: this is meant to be copied.
        print(text, file=self._console.file, flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of a page."""
    parser.add_argument("--markdown", action="store_true", help="print tables as in RESULTS.md")


def as_markdown(table: Table) -> str:
    """The table as GitHub has it, its columns aligned in the source too."""
    rows = [list(table.header), *map(list, table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    left = [place < table.words for place in range(len(widths))]
    rule = [
        "-" * (width + 2) if is_left else "-" * (width + 1) + ":"
        for width, is_left in zip(widths, left, strict=True)
    ]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(row, widths, left, strict=True)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.insert(1, f"|{'|'.join(rule)}|")
    return "\n".join(
        [f"{table.title}:", "", *lines, "", *([table.caption] if table.caption else [])]
    )


def _as_rich(table: Table) -> RichTable:
    drawn = RichTable(
        title=table.title, caption=table.caption, box=box.SIMPLE_HEAD, header_style="bold"
    )
    for place, column in enumerate(table.header):
        drawn.add_column(column, justify="left" if place < table.words else "right", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
