"""Each example trains, sweeps and is reproduced by the command that its first lines give."""

import ast
import csv
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweeps.helpers.ray_process import ray_process

ROOT = Path(__file__).parents[2]
MAX_LINES = 60
SMALL = {
    "sklearn_digits.py": ["epochs=2"],
    "shell_command.py": ["steps=3"],
    "flax_nnx.py": ["epochs=2", "width=4"],
    "pytorch/train.py": ["epochs=2"],
}
"""Example -> options with which it takes a moment."""
SLOW = ("sklearn_digits.py", "flax_nnx.py", "pytorch/train.py")
"""Examples whose library takes seconds to import, in each worker."""
NEEDS = {"pytorch/train.py": "torch"}
"""Example -> a library that this package does not bring."""

EXAMPLES = [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in SMALL]


def docstring(name: str) -> str:
    """The first lines of an example."""
    text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(text)) or ""


def command(name: str) -> str:
    """The command that an example's first lines give."""
    (line,) = re.findall(r"^python examples/.*$", docstring(name), re.MULTILINE)
    return str(line)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """One Ray session for all examples."""
    with ray_process() as (address, _):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a copy of the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command, which must end well; returns what it printed."""
    done = subprocess.run(
        shlex.split(line),
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_example_is_run() -> None:
    files = (ROOT / "examples").rglob("*.py")
    assert {path.relative_to(ROOT / "examples").as_posix() for path in files} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_example_is_short_and_says_how_it_is_started(name: str) -> None:
    text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) < MAX_LINES
    assert command(name).split()[1] == f"examples/{name}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_command_of_an_example_sweeps_and_its_best_trial_is_reproduced(
    name: str, folder: Path, environment: dict[str, str]
) -> None:
    if (library := NEEDS.get(name)) and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    printed = run(shlex.join([*shlex.split(command(name)), *SMALL[name]]), folder, environment)
    (table,) = folder.glob("outputs/*/results.csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["finished"] * 4
    axes = [one.partition("=") for one in shlex.split(command(name))[2:]]
    for axis, _, values in axes:
        assert {row[axis] for row in rows} == set(values.split(","))
        assert re.search(rf"^#.* {axis} ", printed, re.MULTILINE)
    (verify,) = re.findall(r"^verify it: +(.+)$", printed, re.MULTILINE)
    assert re.search(r"^identical: \d+ steps", run(verify, folder, environment), re.MULTILINE)
    again = run(shlex.join([*shlex.split(command(name)), *SMALL[name]]), folder, environment)
    assert "All 4 trials were done before." in again
