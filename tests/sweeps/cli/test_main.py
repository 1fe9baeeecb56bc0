"""The command `sweeps`: its commands, their help, versions and tab completion."""

import importlib.metadata
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sweeps.cli import version
from sweeps.cli.completion import SHELLS, options_of, script
from sweeps.cli.main import COMMANDS, main


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return (int(end.value.code or 0), *capsys.readouterr())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_and_a_version(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ended(capsys, name, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: sweeps {name}")
    status, out, err = ended(capsys, name, "--version")
    assert (status, out, err) == (0, f"{version.version_text()}\n", "")


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = ended(capsys, "--help")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if line.split()[:1] and line[2:3] != " "]
    assert all(f"  {name} " in out and one.about in out for name, one in COMMANDS.items())
    assert ended(capsys, "--version")[:2] == (0, f"{version.version_text()}\n")


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_command_that_is_none_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = ended(capsys, *arguments)
    assert status == 2
    assert "COMMAND" in err


def test_module_is_the_same_command() -> None:
    command = [sys.executable, "-m", "sweeps", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{version.version_text()}\n"


def test_version_is_that_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version.version_text().startswith("lm-sweeps ")

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert version.version_text() == "lm-sweeps 0.1.0 (not installed)"
    monkeypatch.setattr(version, "__file__", "/a/b/c/version.py")
    assert version.version_text() == "lm-sweeps (not installed)"


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["completion", shell])
    out = capsys.readouterr().out
    assert out == script(shell, {name: options_of(name) for name in COMMANDS})
    assert "board" in out
    assert "follow" in out


def test_bash_completes_commands_and_options() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    lines = [script("bash", {"ls": ["--help"], "logs": ["--follow", "--failed"]})]
    for words, place in (("l", 1), ("logs --f", 2), ("logs outputs/a=1,", 2)):
        lines += [f"COMP_WORDS=(sweeps {words}) COMP_CWORD={place}", "_sweeps_complete"]
        lines += ['echo "${COMPREPLY[*]}"']
    done = subprocess.run([bash, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.stdout.split("\n") == ["ls logs", "--follow --failed", "", ""], done.stderr


def test_scripts_of_the_distribution_are_functions() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    for name, target in scripts.items():
        module, _, function = target.partition(":")
        assert callable(getattr(import_module(module), function)), name
    commands = {path.stem for path in (root / "lm").glob("*.py")} - {"__init__", "objective"}
    commands |= {path.parent.name for path in (root / "lm").glob("*/__main__.py")}
    assert set(scripts) == {f"lm-{name.replace('_', '-')}" for name in commands} | {"sweeps"}
