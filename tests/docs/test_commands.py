"""Every command that a document prints is one that there is, with options that there are."""

import argparse
import importlib
import importlib.util
import re
import runpy
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from lm.config import CONFIG_DIR, Config, parse_config, register
from lm.vectors.config import compose_models
from sweeps import hydra_sweeper
from sweeps.cli.main import COMMANDS
from sweeps.config import check_overrides, parse_framework_config
from sweeps.config.options import FrameworkConfig
from sweeps.search import space
from tests.docs.documents import OTHERS, PAGES, Command, blocks, commands

FOUND = {str(command): command for page in [*PAGES, *OTHERS] for command in commands(page)}
"""Each command once."""
CODE = re.compile(r"`([^`\n]+)`")
"""In a sentence or a table."""
PLACEHOLDER = re.compile(r"=(\[?[A-Z]+\b|$)|\.\.\.$")
"""An option without a value, or with one that stands for any."""


SECTIONS = Config.__dataclass_fields__
"""Sections and single options at the top of a configuration."""


def options_in_prose() -> dict[str, str]:
    """Return each override that a sentence or a table names -> where."""
    sections = {path.name for path in CONFIG_DIR.iterdir() if path.is_dir()}
    sections |= set(SECTIONS)
    found = {}
    for page in [*PAGES, *OTHERS]:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for code in CODE.findall(line):
                # Not a command, nor a regular expression, nor signs.
                if "python " in code or "\\" in code or "=" not in code:
                    continue
                for word in shlex.split(code):
                    key = word.partition("=")[0].lstrip("+")
                    if "=" in word and key.partition(".")[0] in sections:
                        found[word] = f"{page.name}:{number}"
    return {word: place for word, place in found.items() if not PLACEHOLDER.search(word)}


@pytest.mark.parametrize("override", options_in_prose())
def test_option_of_a_sentence_is_one_that_there_is(override: str) -> None:
    if override.startswith(("vectors.", "+vectors")):
        compose_models(["+vectors=[skipgram,cbow,window]", override][override[0] == "+" :])
    else:
        check_overrides([override], CONFIG_DIR, Config)


def test_prose_names_options() -> None:
    assert len(options_in_prose()) > 30


@pytest.fixture(autouse=True, scope="module")
def _registered() -> None:
    register()
    hydra_sweeper.register()


def check_trials(arguments: Sequence[str]) -> None:
    """Compose what `lm.train` or `lm.sweep` would: of a sweep the last trial."""
    overrides = [one for one in arguments if not one.startswith("-") and one not in ("job",)]
    check_overrides(overrides, CONFIG_DIR, Config)
    parser = OverridesParser.create()
    given = parser.parse_overrides(overrides)
    with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        fixed = [one.input_line or "" for one in given if not one.is_sweep_override()]
        root = hydra.compose("config", overrides=fixed, return_hydra_config=True)
        params = [
            space.param_override(key, value) for key, value in root.hydra.sweeper.params.items()
        ]
        found = space.build_space(parser.parse_overrides(params), given)
        ends = (
            axis.value_at(axis.interval.end) if axis.interval else axis.values[-1]
            for axis in found.axes
        )
        last = [value.override for value in ends]
        trial = hydra.compose("config", overrides=[*found.fixed, *last]) if last else root
    values = OmegaConf.to_container(OmegaConf.masked_copy(trial, list(SECTIONS)), resolve=True)
    assert isinstance(values, dict)
    parse_config({str(key): value for key, value in values.items()})
    parse_framework_config(OmegaConf.masked_copy(root, list(FrameworkConfig.__dataclass_fields__)))


class Parsed(BaseException):
    """The command line has been read."""


def check_arguments(module: str, arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a command read its arguments, and do no more."""
    for name in ("parse_args", "parse_intermixed_args"):
        parse = getattr(argparse.ArgumentParser, name)

        def parse_only(*given: Any, parse: Callable[..., Any] = parse) -> None:
            parse(*given)
            raise Parsed

        monkeypatch.setattr(argparse.ArgumentParser, name, parse_only)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(Parsed):
        runpy.run_module(module, run_name="__main__", alter_sys=False)


BARE = {"scripts.kill_and_resume", "scripts.gradient_flow_findings"}
"""Scripts that read their arguments themselves: overrides of a sweep, and folders."""


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("command", FOUND.values(), ids=lambda command: command.place)
def test_command_of_a_document_has_options_that_there_are(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not command.arguments or command.arguments == ("...",):  # its name alone
        assert importlib.util.find_spec(command.module), command
    elif command.module in ("lm.train", "lm.sweep", "scripts.kill_and_resume"):
        check_trials(command.arguments)
    elif command.module not in BARE:
        check_arguments(command.module, command.arguments, monkeypatch)


def lines_of(program: str) -> list[tuple[str, list[str]]]:
    """Return place and words of the lines that begin with a program."""
    return [
        (block.place, shlex.split(line, comments=True))
        for page in PAGES
        for block in blocks(page)
        if block.language == "shell"
        for line in block.commands()
        if re.match(program, line)
    ]


RAY = lines_of(r"(srun )?ray ")
SWEEPS = lines_of("sweeps ")


@pytest.mark.parametrize("words", [words for _, words in SWEEPS])
def test_command_of_sweeps_has_options_that_there_are(words: list[str]) -> None:
    _, name, *arguments = words
    importlib.import_module(COMMANDS[name].module).make_parser(name).parse_intermixed_args(
        arguments
    )


def test_documents_name_what_sweeps_can_do() -> None:
    own = {"ls", "show", "logs", "stop", "rm", "tag", "export"}
    assert own <= {words[1] for _, words in SWEEPS}


@pytest.mark.parametrize("words", [words for _, words in RAY], ids=[place for place, _ in RAY])
def test_command_of_ray_has_options_that_there_are(words: list[str]) -> None:
    from ray.scripts.scripts import cli

    _, name, *arguments = words[words.index("ray") :]
    # Their shell redirects some of what they print.
    given = [word for word in arguments if not word.startswith(">")]
    assert cli.commands[name].make_context(name, given)


def test_documents_start_clusters() -> None:
    assert {"get-auth-token", "start", "symmetric-run"} <= {
        word for _, line in RAY for word in line
    }
