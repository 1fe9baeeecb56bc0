"""A trained run whose text has moved: every command that needs it can be told where it is."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import lm.evaluate
import lm.generate
import lm.reproduce
import lm.vectors.__main__
from lm.config import CONFIG_DIR
from lm.train import train_single
from sweeps.config import read_application
from sweeps.errors import UserError
from sweeps.reproduce.command import Request, reproduce
from sweeps.store.provenance import read_provenance
from sweeps.store.trial import read_config, read_overrides, read_trial

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]
OVERRIDES = ("train.epochs=1", "log.sample_prompt=null")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which training ran, with paths relative to it."""
    folder, before = tmp_path_factory.mktemp("moved"), Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def trained(place: Path, tiny: Compose, story: Path) -> Path:
    """A run on old/a.txt, which is new/b.txt now."""
    (place / "old").mkdir()
    (place / "old" / "a.txt").write_text(story.read_text())
    directory = place / train("old/a.txt", tiny)[0]
    (place / "old").rename(place / "new")
    (place / "new" / "a.txt").rename(place / "new" / "b.txt")
    (place / "other.txt").write_text(story.read_text().replace("ba", "bo"))
    return directory


def train(file: str, tiny: Compose) -> tuple[Path, str]:
    terminal = io.StringIO()
    values = tiny(*OVERRIDES, f"data.files=[{file}]")
    overrides = (*OVERRIDES, f"data.files=[{file}]")
    return train_single(values, overrides, Console(file=terminal)), terminal.getvalue()


def evaluate(*arguments: object) -> None:
    lm.evaluate.main([str(argument) for argument in arguments])


def generate(*arguments: object) -> None:
    lm.generate.main([*map(str, arguments), "--words", "3"])


def vectors(*arguments: object) -> None:
    options = ["--similar", "ba", "+vectors=cbow", "vectors.cbow.epochs=1"]
    lm.vectors.__main__.main([*map(str, arguments), *options])


COMMANDS = [evaluate, generate, vectors]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_say_how_to_name_the_new_place(
    trained: Path, capsys: Capture, command: Callable[..., None]
) -> None:
    with pytest.raises(SystemExit):
        command(trained)
    sentence = capsys.readouterr().err
    assert "there is no file old/a.txt; check the path." in sentence
    assert f"(this command runs in {Path.cwd()}), give --root DIR or --files FILE" in sentence


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_read_the_text_where_it_is_now(
    trained: Path, capsys: Capture, command: Callable[..., None], tmp_path: Path
) -> None:
    command(trained, "--files", "new/b.txt")
    printed = capsys.readouterr().out
    (tmp_path / "a.txt").write_text(Path("new/b.txt").read_text())
    command(trained, "--root", tmp_path)
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("command", COMMANDS)
def test_another_text_is_refused(
    trained: Path, capsys: Capture, command: Callable[..., None]
) -> None:
    with pytest.raises(SystemExit):
        command(trained, "--files", "other.txt")
    assert "is not the one that it was trained on" in capsys.readouterr().err


def reproduced(directory: Path, output: Path, **own: Any) -> str:
    terminal = Console(file=io.StringIO(), width=300)
    application = read_application(CONFIG_DIR / "config.yaml")
    reproduce(
        Request(directory, output=output, own=own), application, terminal, lm.reproduce.OPTIONS
    )
    assert isinstance(terminal.file, io.StringIO)
    return terminal.file.getvalue()


@pytest.mark.slow
def test_reproduce_reads_the_text_where_it_is_now(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"there is no file old/a\.txt.* give --root DIR or --files"
    ):
        reproduced(trained, tmp_path)
    with pytest.raises(UserError, match=r"the text or the options of .* are not those"):
        reproduced(trained, tmp_path, files=[Path("other.txt")])
    assert "identical: " in reproduced(trained, tmp_path, files=[Path("new/b.txt")])


def test_the_command_of_a_trained_run_records_the_new_place(
    trained: Path, tiny: Compose, capsys: Capture
) -> None:
    before = read_config(trained)
    facts = read_provenance(trained)
    directory, printed = train("new/b.txt", tiny)
    assert directory.absolute() == trained
    assert "Trained before" in printed
    assert "Its text is now read from where this command says." in printed
    before["data"]["files"] = ["new/b.txt"]
    assert read_config(trained) == before
    assert read_overrides(trained)[-1] == "data.files=[new/b.txt]"
    assert "data.files=[new/b.txt]" in read_trial(trained).train_command
    assert read_provenance(trained) == facts
    evaluate(trained)
    assert "valid" in capsys.readouterr().out
    assert "Its text" not in train("new/b.txt", tiny)[1]
