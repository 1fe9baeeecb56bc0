"""What is printed is printed as it stands, whole."""

import io

import pytest
from rich.console import Console

from sweeps.io.console import (
    count_text,
    fit_table,
    fits,
    make_console,
    make_table,
    print_line,
    print_table,
)

FOREIGN = [
    "o [x]",
    "r[/x]",
    "[bold]b[/bold]",
    "a:bug:b",
    "data.files=['[a].txt']",
    "\\[x]",
    "[1;2]",
]


def terminal(width: int, **options: bool) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("text", FOREIGN)
def test_brackets_and_colons_are_no_markup(text: str) -> None:
    file = io.StringIO()
    table = make_table(text)
    table.add_row(text)
    print_table(make_console(file), table)
    print_line(Console(file=file), text, style="bold")
    assert [line.strip() for line in file.getvalue().splitlines()] == [text] * 3


def test_long_lines_are_not_folded() -> None:
    console = terminal(20)
    print_line(console, "word " * 30)
    assert shown(console).count("\n") == 1


HEADS = ["#", "embed_size", "rnn_size", "best valid/perplexity", "at step", "status", "id"]
ROW = ["1", "64", "192", "133.88612", "672", "stopped by asha at step 300", "7aa8a3"]


@pytest.mark.parametrize("width", [200, 80, 40, 20])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_tables_cut_no_value(width: int, is_terminal: bool) -> None:
    console = terminal(width) if is_terminal else Console(file=io.StringIO(), width=width)
    table = make_table(*HEADS)
    table.add_row(*ROW)
    print_table(console, table)
    *heads, row = shown(console).splitlines()
    assert "\u2026" not in shown(console)
    assert row.split() == " ".join(ROW).split()
    found = [
        "".join(parts)
        for parts in zip(*(map(str, cells(line, row)) for line in heads), strict=True)
    ]
    assert [head.replace(" ", "") for head in found] == [head.replace(" ", "") for head in HEADS]


def cells(line: str, row: str) -> list[str]:
    """Cut a line of headings where the columns of a row of values end; all are right-aligned."""
    ends, start = [], 0
    for value in ROW:
        start = row.index(value, start) + len(value)
        ends.append(start)
    return [line[a:b].strip() for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def test_headings_are_folded_where_the_terminal_is_narrow() -> None:
    console = terminal(70)
    table = make_table(*HEADS)
    table.add_row(*ROW)
    print_table(console, table)
    assert max(map(len, shown(console).splitlines())) <= 70
    assert len(shown(console).splitlines()) > 2


@pytest.mark.parametrize(
    ("width", "gone"),
    [
        (200, []),
        (80, []),
        (66, ["at step"]),
        (45, ["at step", "status"]),
        (20, ["at step", "status"]),
    ],
)
def test_columns_are_left_out_one_after_another(width: int, gone: list[str]) -> None:
    table = make_table(*HEADS)
    table.add_row(*ROW)
    fitted, left_out = fit_table(table, width, [HEADS.index("at step"), HEADS.index("status")])
    assert left_out == gone
    assert fits(fitted, width) == (width != 20)
    console = terminal(width)
    print_table(console, fitted)
    row = shown(console).splitlines()[-1]
    kept = [value for head, value in zip(HEADS, ROW, strict=True) if head not in gone]
    assert row.split() == " ".join(kept).split()
    assert len(table.columns) == len(HEADS)


@pytest.mark.parametrize(("count", "text"), [(0, "0 trials"), (1, "1 trial"), (2, "2 trials")])
def test_one_thing_is_not_plural(count: int, text: str) -> None:
    assert count_text(count, "trial") == text
