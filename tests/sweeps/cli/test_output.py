"""What commands do where their output cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORK = """
import sys, time
from pathlib import Path
from sweeps.cli.exit import exit_on_user_error
from sweeps.io.console import make_console, print_line

@exit_on_user_error(goes_on={goes_on})
def main():
    console = make_console()
    for number in range(2000):
        print_line(console, f"line {{number}} " + 80 * "x")
        print("another", number, flush=True)
    print("notes", file=sys.stderr)
    Path("done").write_text("done")

main()
"""


def shell(folder: Path, command: str, goes_on: bool) -> "subprocess.CompletedProcess[str]":
    """Run the program as PROGRAM of a bash command."""
    (folder / "program.py").write_text(WORK.format(goes_on=goes_on))
    command = command.replace("PROGRAM", f"{sys.executable} program.py")
    return subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}} >status"],
        cwd=folder,
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


GONE = [
    "PROGRAM | head -1",
    "PROGRAM 2>&1 | head -1",
    "PROGRAM | true",
    "PROGRAM >&-",
    "PROGRAM >&- 2>&- <&-",
    "PROGRAM >/dev/full",
    "PROGRAM >/dev/full 2>/dev/full",
    "PYTHONUNBUFFERED=1 PROGRAM | head -1",
]


@pytest.mark.parametrize("command", GONE)
def test_training_goes_on_silently(tmp_path: Path, command: str) -> None:
    done = shell(tmp_path, command, goes_on=True)
    assert (tmp_path / "status").read_text() == "0\n", done.stderr
    assert (tmp_path / "done").exists()
    assert done.stderr.replace("notes\n", "") == ""


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("PROGRAM | head -1", 141, ""),
        ("PROGRAM 2>&1 | head -1", 141, ""),
        ("PROGRAM | true", 141, ""),
        ("PROGRAM >&-", 0, "notes\n"),
        (
            "PROGRAM >/dev/full",
            1,
            "error: cannot write the output (No space left on device); mend that, or send it "
            "elsewhere.\n",
        ),
    ],
)
def test_other_commands_end_without_a_traceback(
    tmp_path: Path, command: str, status: int, told: str
) -> None:
    done = shell(tmp_path, command, goes_on=False)
    assert (tmp_path / "status").read_text() == f"{status}\n", done.stderr
    assert done.stderr == told
    assert (tmp_path / "done").exists() == (status == 0)


def test_closed_output_does_not_go_into_the_next_file(tmp_path: Path) -> None:
    program = (
        "import os, sys; from sweeps.cli.output import prepare_output; "
        "prepare_output(goes_on=True); file = open('file', 'w'); print('lost'); "
        "os.write(1, b'lost'); os.write(2, b'lost'); file.close()"
    )
    (tmp_path / "program.py").write_text(program)
    subprocess.run(
        ["bash", "-c", f"{sys.executable} program.py >&- 2>&- <&-"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_signs_that_the_encoding_lacks_are_replaced(tmp_path: Path, encoding: str) -> None:
    program = (
        "from sweeps.cli.exit import exit_on_user_error\n"
        "from sweeps.io.console import *\n"
        "with exit_on_user_error():\n"
        "    table = make_table('\u65e5'); table.add_row('\u2588')\n"
        "    print_table(make_console(), table)\n"
        "    print_line(make_console(), 'a \u65e5 \\udce9')\n"
        "    print('b \u65e5 \\udce9')\n"
        "    raise UserError('\u65e5')\n"
    ).replace("import *", "import *; from sweeps.errors import UserError")
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        env={
            **os.environ,
            "PYTHONIOENCODING": encoding,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert done.stdout.split(b"\n") == [b"?", b" ?", b"a ? ?", b"b ? ?", b""]
    assert done.stderr == b"error: \\u65e5\n"
    assert done.returncode == 1
