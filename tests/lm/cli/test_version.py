"""Each command that is not Hydra's prints the version of the distribution."""

import sys
from importlib import import_module

import pytest

from sweeps.cli.version import version_text


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("lm.board", "run"),
        ("lm.compare", "run"),
        ("lm.evaluate", "main"),
        ("lm.generate", "main"),
        ("lm.export", "main"),
        ("lm.gradient_flow.plugin.export", "main"),
        ("lm.reproduce", "run"),
        ("lm.vectors.__main__", "main"),
    ],
)
def test_version_is_that_of_the_distribution(
    module: str, function: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lm", "--version"])
    with pytest.raises(SystemExit) as end:
        getattr(import_module(module), function)()
    assert (end.value.code, capsys.readouterr().out) == (0, f"{version_text()}\n")
