"""The command that shows runs: what TensorBoard serves, what is printed, how it ends."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from rich.console import Console

from benchmarks.tensorboard.browser import board
from sweeps.cli.board import SweepLinks, _sweep_notes, main, shows_links
from sweeps.tensorboard.links import Dashboard

VIEW = Dashboard("http://localhost:6006/")
AXES = ("rate", "kind", "seed")


def served(url: str) -> set[str]:
    with urlopen(f"{url}data/runs") as answer:
        return set(json.load(answer))


def trials(folder: Path) -> set[str]:
    return {f"{folder.name}/{path.parent.name}" for path in folder.glob("*/trial.json")}


def selections() -> set[str]:
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("board-")}


def test_all_runs_are_served_with_links_for_each_sweep(grid: Path, make_sweep: Any) -> None:
    other = make_sweep([{"a": 1}, {"a": 2}], lambda s, step: 1.0, name="other")
    with board(grid.parent, module="sweeps.cli.board") as shown:
        assert served(shown.url) == trials(grid) | trials(other)
        assert re.search(r"\ngrid, 12 runs\n  all +http", shown.text)
        assert re.search(r"\n  coloured by kind +http", shown.text)
        assert "rate=0.1" not in shown.text
        assert shown.text.splitlines()[-1].startswith(f"{shown.url}  14 runs of ")
        assert "valid%2Floss" in shown.text  # the sweep's metric is pinned
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(60) == 130


def notes(folder: Path, served: Path) -> list[str]:
    """What is printed of the sweeps of a folder below their links."""
    root = folder if served == folder else served
    names = [path.parent.relative_to(served).as_posix() for path in folder.glob("*/trial.json")]
    return list(_sweep_notes(root, SweepLinks(root, names, VIEW).sweeps, "see", "rank"))


def test_it_is_said_where_a_table_is_and_how_names_of_a_single_sweep_become_short(
    grid: Path, make_sweep: Any
) -> None:
    table = f"a table: rank {grid} --html FILE"
    assert notes(grid, grid)[2:] == [table]
    assert notes(grid, grid.parent)[2:] == [table, f"names without grid/: see {grid}"]
    make_sweep([{"a": 1}, {"a": 2}], lambda s, step: 1.0, name="other")
    both = [path.relative_to(grid.parent).as_posix() for path in grid.parent.glob("*/*,id=*")]
    sweeps = SweepLinks(grid.parent, both, VIEW).sweeps
    assert [path.name for path in sweeps] == ["grid", "other"]
    found = list(_sweep_notes(grid.parent, sweeps, "see", "rank"))
    assert found[2:] == [f"a table: rank {grid.parent / 'SWEEP'} --html FILE"]
    assert list(_sweep_notes(grid.parent, [], "see", "rank")) == []


def test_names_of_a_served_sweep_leave_its_own_name_out(grid: Path) -> None:
    with board(grid, module="sweeps.cli.board") as shown:
        assert served(shown.url) == {path.parent.name for path in grid.glob("*/trial.json")}
        assert "grid%2F" not in shown.text


def printed(folder: Path, *, all_values: bool = False, clickable: bool = False) -> str:
    """What is printed of the links, with the codes of a terminal where that can be clicked."""
    links = SweepLinks(folder, [path.parent.name for path in folder.glob("*/trial.json")], VIEW)
    file = io.StringIO()
    colours = "truecolor" if clickable else None
    console = Console(file=file, force_terminal=clickable, width=80, color_system=colours)
    for line in links.lines(all_values=all_values, clickable=clickable):
        console.print(line, soft_wrap=True)
    return file.getvalue()


def test_there_is_a_line_for_each_axis_and_for_each_value_on_request(grid: Path) -> None:
    heads = [line.split("  http")[0].strip() for line in printed(grid).splitlines()]
    assert heads == ["", "grid, 12 runs", "all", *(f"coloured by {axis}" for axis in AXES)]
    every = printed(grid, all_values=True)
    assert all(line.startswith(printed(grid).splitlines()[0]) for line in every.splitlines())
    assert re.search(r"\n  rate=0.1 \(4\) +http", every)
    assert re.search(r"\n  kind=b \(6\) +http", every)


def test_words_carry_the_addresses_where_a_terminal_can_be_clicked(grid: Path) -> None:
    text = printed(grid, clickable=True)
    opened = r"\x1b\]8;[^;]*;([^\x1b]*)\x1b\\"
    shown = re.sub(rf"{opened}|\x1b\[[\d;]*m", "", text).splitlines()
    assert [line.split() for line in shown[2:]] == [
        ["all"],
        ["rate", "0.01", "(4)", "0.1", "(4)", "0.5", "(4)"],
        ["kind", "a", "(6)", "b", "(6)"],
        ["seed", "0", "(6)", "1", "(6)"],
    ]
    # As many as with whole addresses, and the same ones.
    whole = re.findall(r"http\S+", printed(grid, all_values=True))
    assert [url for url in re.findall(opened, text) if url] == whole
    assert len(whole) == 11


@pytest.mark.parametrize(
    ("environment", "is_terminal", "expected"),
    [
        ({"TERM": "xterm-kitty"}, True, True),
        ({"TERM_PROGRAM": "vscode"}, True, True),
        ({"VTE_VERSION": "7200"}, True, True),
        ({"VTE_VERSION": "4804"}, True, False),
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "xterm-kitty"}, False, False),
    ],
)
def test_addresses_are_hidden_only_where_the_terminal_is_known_to_open_them(
    environment: dict[str, str], is_terminal: bool, expected: bool
) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, color_system="256")
    assert shows_links(console, environment) is expected


@pytest.mark.slow
def test_only_matching_runs_are_served_and_so_are_later_ones(grid: Path, make_sweep: Any) -> None:
    wanted = {name for name in trials(grid) if "rate=0.1,kind=b" in name}
    layout = next(path for path in grid.glob("*/events*"))
    (grid / layout.name).write_bytes(layout.read_bytes())  # a run of the sweep's own
    before = selections()
    with board(grid.parent, "--filter", "RATE=0.1,kind=B", module="sweeps.cli.board") as shown:
        assert served(shown.url) == wanted | {"grid"}
        assert "\n  kind=a" not in shown.text
        later = make_sweep([{"rate": 0.1, "kind": "b"}], lambda s, step: 1.0, name="later")
        deadline = time.monotonic() + 60
        while served(shown.url) != wanted | trials(later) | {"grid"}:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert selections() - before
    assert shown.process.returncode == 128 + signal.SIGTERM
    assert selections() == before


def test_runs_are_served_without_the_data_server(
    grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_DATA_SERVER_BINARY", str(grid / "nowhere"))
    with board(grid.parent, module="sweeps.cli.board") as shown:
        assert served(shown.url) == trials(grid)
        assert "data server is missing here" in shown.text


def refused(grid: Path, *arguments: str) -> str:
    """What the command says when it cannot start."""
    command = [sys.executable, "-m", "sweeps.cli.board", str(grid), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_taken_port_is_said_with_who_has_it(grid: Path) -> None:
    with socket.create_server(("localhost", 0)) as server:
        port = str(server.getsockname()[1])
        said = refused(grid, "--port", port)
    assert f"error: port {port} is taken by another program; end that, or give" in said


def test_address_of_another_machine_is_refused(grid: Path) -> None:
    said = refused(grid, "--port", "0", "--host", "192.0.2.1")
    assert re.search(r"error: TensorBoard cannot listen at 192.0.2.1:0 \(.+\); give another", said)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], r"nowhere does not exist; give the folder that sweeps write to"),
        (["s3://bucket/runs"], r"s3://bucket/runs is a URL; give the folder"),
        (["empty"], r"empty is empty; run a sweep first"),
        (["bare"], r"bare has no runs: there is no event file below it"),
        (["grid", "--filter", "["], r"'\[' is not a regular expression \(.*\); mend the filter"),
        (
            ["grid", "--match", "none"],
            r"no run matches --filter 'none'; the first of 12 is rate=0.01,kind=a,seed=0,id=\w+\.",
        ),
    ],
)
def test_mistake_is_one_sentence(
    grid: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(grid.parent)
    Path("empty").mkdir()
    Path("bare/trial").mkdir(parents=True)
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 1
    errors = capsys.readouterr().err
    assert re.match(f"error: {sentence}", errors)
    assert errors.count("\n") == 1


def test_runs_that_could_not_all_be_opened_are_refused(grid: Path) -> None:
    program = (
        "import resource as r; from sweeps.cli.board import main;"
        f"r.setrlimit(r.RLIMIT_NOFILE, (40, 40)); main([{str(grid)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: a process may open 40 files here, and there are 12 event")
