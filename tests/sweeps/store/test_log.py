"""A log that is put together, and its last lines."""

from pathlib import Path

import pytest

from sweeps.store.log import cap_log, last_lines, log_kept, tail_path

LONG = "x" * 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("one", ["one"]),
        ("1\n2\n\n3\n4\n", ["2", "3", "4"]),
        ("a\n 10%\r 50%\r100%\n", ["a", "100%"]),
        (" 10%\r 50%\r", [" 50%"]),
        ("\x1b[31mred\x1b[0m\x07\tand\n", ["red\tand"]),
        (f"{LONG}\n", [LONG[:200]]),
        ("windows\r\nlines\r\n", ["windows", "lines"]),
        ("[bold]:bug:\n", ["[bold]:bug:"]),
    ],
)
def test_last_lines_are_plain_text(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "log.txt").write_bytes(text.encode())
    assert last_lines(tmp_path, 3) == expected


def test_last_lines_come_from_all_files_of_a_log(tmp_path: Path) -> None:
    assert last_lines(tmp_path, 5) == []
    (tmp_path / "log.txt").write_bytes(b"1\n2\n\xff\n")
    tail_path(tmp_path, 100).write_text("6\n")
    tail_path(tmp_path, 20).write_text("4\n5\n")
    assert last_lines(tmp_path, 5) == ["2", "\ufffd", "4", "5", "6"]


def test_files_are_put_together_in_order_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("head\n")
    tail_path(tmp_path, 100).write_text("newer\n")
    tail_path(tmp_path, 94).write_text("older\n")
    assert cap_log(tmp_path, 1000)
    assert (tmp_path / "log.txt").read_text() == (
        "head\n--- 94 bytes are left out here (sweep.log_megabytes) ---\nolder\nnewer\n"
    )
    assert not cap_log(tmp_path, 1000)
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


@pytest.mark.parametrize(
    ("limit", "expected", "left_out"),
    [(1000, "11\n12\n{}31\n32\n", 18), (10, "11\n{}31\n32\n", 21)],
)
def test_what_stands_between_two_gaps_is_left_out(
    tmp_path: Path, limit: int, expected: str, left_out: int
) -> None:
    """The parts that are kept are the first and the last lines, without another gap in them."""
    marker = "--- {} bytes are left out here (sweep.log_megabytes) ---\n"
    (tmp_path / "log.txt").write_text("11\n12\n" + marker.format(5) + "21\n22\n")
    tail_path(tmp_path, 7).write_text("31\n32\n")
    assert cap_log(tmp_path, limit)
    assert (tmp_path / "log.txt").read_text() == expected.format(marker.format(left_out))


def test_log_that_outgrew_its_half_before_a_gap_is_cut(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"1234567\n" * 1000)
    tail_path(tmp_path, 100).write_text("last\n")
    assert cap_log(tmp_path, 4000)
    head, _, tail = (tmp_path / "log.txt").read_bytes().partition(b"--- 6100 bytes are ")
    assert head == b"1234567\n" * 250
    assert tail.endswith(b"---\nlast\n")
    assert tail.count(b"\n") == 2


def test_log_without_line_ends_is_cut_where_it_must_be(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"x" * 100_000)
    assert cap_log(tmp_path, 20_000)
    text = (tmp_path / "log.txt").read_bytes()
    assert text == (
        b"x" * 10_000
        + b"\n--- 80000 bytes are left out here (sweep.log_megabytes) ---\n"
        + b"x" * 10_000
    )


@pytest.mark.parametrize(
    ("before", "pulled", "expected"),
    [
        ("1\n2\n", "1\n", "1\n2\n"),
        ("1\n2\n", None, "1\n2\n"),
        ("1\n", "1\n2\n", "1\n2\n"),
        ("1\n2\n", "3\n", "3\n"),
        (None, "1\n", "1\n"),
        (None, None, None),
    ],
)
def test_log_of_a_killed_process_outlives_a_pull(
    tmp_path: Path, before: str | None, pulled: str | None, expected: str | None
) -> None:
    log = tmp_path / "log.txt"
    if before:
        log.write_text(before[:2])
        if before[2:]:
            tail_path(tmp_path, 0).write_text(before[2:])
    with log_kept(tmp_path, 1000):
        log.unlink(missing_ok=True)
        if pulled:
            log.write_text(pulled)
    assert (log.read_text() if log.exists() else None) == expected
