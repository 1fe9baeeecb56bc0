"""How to go on, as a user types it."""

import sys
from pathlib import Path

import pytest

from sweeps.cli.command_line import command_to_go_on

SCRIPT = str(Path(sys.executable).parent / "lm-sweep")


@pytest.mark.parametrize(
    ("argv", "arguments", "more", "command"),
    [
        (["-m", "lm.sweep", "a=1,2"], ["a=1,2"], [], "python -m lm.sweep a=1,2"),
        (["train.py", "a='x y',b", "c=1"], ["c=1", "a='x y',b"], [], None),
        ([SCRIPT, "+sweep=x"], ["+sweep=x"], [], "lm-sweep +sweep=x"),
        ([SCRIPT + ".py", "+sweep=x"], [], [], f"python {SCRIPT}.py +sweep=x"),
        (["-m", "x", "a=1", "sweep.fresh=true"], ["sweep.fresh=true"], [], "python -m x a=1"),
        (["-m", "x", "hydra.sweeper.sweep.fresh=true", "a=1"], [], [], "python -m x a=1"),
        (["-m", "x", "a=1"], [], ["b=2"], "python -m x a=1 b=2"),
        (["-m", "ipykernel"], ["a=1"], [], ""),
        ([], ["a=1"], [], ""),
    ],
)
def test_command_is_the_one_that_was_given(
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    arguments: list[str],
    more: list[str],
    command: str | None,
) -> None:
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *argv])
    expected = """python train.py 'a='"'"'x y'"'"',b' c=1""" if command is None else command
    assert command_to_go_on(arguments, *more) == expected
