"""What a trial does before its first report, from its worker to the table."""

from pathlib import Path

from sweeps.store.phase import MAX_LETTERS, PHASE_FILE, read_phase, write_phase


def test_phase_is_there_until_it_ends(tmp_path: Path) -> None:
    assert read_phase(tmp_path) == ""
    write_phase(tmp_path, "compiling")
    assert read_phase(tmp_path) == "compiling"
    write_phase(tmp_path, "")
    write_phase(tmp_path, "")
    assert read_phase(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_odd_phase_stays_in_its_cell(tmp_path: Path) -> None:
    write_phase(tmp_path, "one\ntwo\tand much more than fits")
    assert read_phase(tmp_path) == "one two and much more than fits"[:MAX_LETTERS]
    (tmp_path / PHASE_FILE).write_bytes(b"\xff")
    assert len(read_phase(tmp_path)) == 1


def test_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    write_phase(tmp_path / "gone", "compiling")
    write_phase(tmp_path / "gone", "")
    assert read_phase(tmp_path / "gone") == ""
