"""A command line is read as a whole: Hydra's flags anywhere, errors in a sentence."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lm.cli.hydra_main import hydra_command, run_command
from sweeps.hydra_main import _read_arguments

Command = Callable[..., tuple[int, str, str]]

OWN = {
    "typo": "model: {rnn_sizee: 5}",
    "type": "model: {rnn_size: wide}",
    "syntax": "model: {rnn_size: 5",
    "interpolation": "model: {rnn_size: '${model.nothing}'}",
    "twice": "defaults:\n  - /optimizer: adam",
    "no_group": "defaults:\n  - override /optimzer: adam",
    "no_file": "defaults:\n  - override /optimizer: adamm",
    "foreign": "optimizer: {momentum: 0.5}",
    "axes": "hydra: {sweeper: {params: {model.layers: '1,2'}}}",
    "plain": "seed: 0",
}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of a user's own configuration files."""
    folder = tmp_path / "own"
    for group in ("experiment", "sweep"):
        (folder / group).mkdir(parents=True)
        for name, text in OWN.items():
            (folder / group / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
        (folder / group / "latin.yaml").write_bytes(b"# @package _global_\nname: caf\xe9\n")
    return folder


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs a command in this process as far as its task; gives status and what it printed."""
    monkeypatch.chdir(tmp_path)
    # It closes the handlers of all loggers, and absl's closes the stream that pytest writes to.
    for place in ("hydra.core.utils", "hydra._internal.hydra"):
        monkeypatch.setattr(f"{place}.configure_log", lambda *given: None)
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(module: str, *arguments: str) -> tuple[int, str, str]:
        reached: list[Any] = []
        monkeypatch.setattr(sys, "argv", [f"lm/{module}.py", *arguments])
        capfd.readouterr()
        try:
            run_command(reached.append, "RUN" if module == "train" else "MULTIRUN")
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        assert "HYDRA_FULL_ERROR" not in os.environ
        return status, out + (f"model.layers={reached[0].model.layers}" if reached else ""), err

    yield run
    root.handlers[:], level = before  # Hydra sets them
    root.setLevel(level)


def sentence(found: tuple[int, str, str]) -> str:
    """The one line of an error."""
    status, out, err = found
    assert status == 1, out + err
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("module", ["train", "sweep"])
@pytest.mark.parametrize("group", ["experiment", "sweep"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("typo", "/typo': Key 'rnn_sizee' not in 'ModelConfig' (model.rnn_sizee)."),
        ("type", "/type': Value 'wide' of type 'str' could not be converted to Integer (model."),
        ("syntax", "syntax.yaml is no YAML: expected ',' or '}', but got '<stream end>' in line 3"),
        ("interpolation", "Interpolation key 'model.nothing' not found (model.rnn_size)."),
        ("twice", "Multiple values for optimizer. To override a value use 'override optimizer:"),
        ("no_group", "/no_group': Could not override 'optimzer'. No match in the defaults list."),
        ("no_file", "Could not find 'optimizer/adamm'; Available options in 'optimizer': adam, "),
        ("latin", "latin.yaml is not UTF-8 (invalid continuation byte); save it as UTF-8."),
    ],
)
def test_mistake_in_a_users_own_file_is_told_in_one_sentence(
    command: Command, own: Path, module: str, group: str, name: str, words: str
) -> None:
    axes = ["seed=0,1"] if module == "sweep" else []
    named = ["--config-dir", str(own)] if group == "sweep" else [f"hydra.searchpath=[{own}]"]
    assert words in sentence(command(module, *named, f"+{group}={name}", *axes))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["+experiment=plain,axes"],
            "a trial with experiment=axes has axes of its own (model.layers in hydra.sweeper.par",
        ),
        (
            ["+experiment=foreign", "optimizer=momentum,adam"],
            "has no meaning for optimizer=adam, and the file experiment/foreign sets it; leave it",
        ),
        (
            ["optimizer=momentum,adam", "optimizer.momentum=0.5,0.9"],
            "which have it; or sweep over each optimizer by itself.",
        ),
        (["+experiment=plain,typo"], "In 'experiment/typo': Key 'rnn_sizee' not in 'ModelConfig'"),
        (["model.layers=1,2", "train.clip_norm=${model.nothing}"], "'model.nothing' not found"),
        (["sweep.metric=${model.nothing}", "seed=0,1"], "'model.nothing' not found"),
        (["+hydra.sweeper.params.seed=[0,1]"], "seed takes none; for an axis write its values wit"),
        (["hydra/sweeper=basic", "seed=0,1"], "Key 'objective' not in 'BasicSweeperConf'"),
    ],
)
def test_mistake_in_one_trial_of_a_sweep_is_told_in_one_sentence(
    command: Command, own: Path, arguments: list[str], words: str
) -> None:
    assert words in sentence(command("sweep", "--config-dir", str(own), *arguments))


@pytest.mark.parametrize("module", ["train", "sweep"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["+optimizer=adam"], "of which there is one already; write optimizer=adam."),
        (["experiment=sherlock"], "experiment=sherlock needs a plus, as no file of experiment is"),
        (["sweep=layer_grid"], "without it; write +sweep=layer_grid."),
        (["+sweep=layer_grid", "+sweep=cell_type"], "are two files of sweep, and there can be one"),
        (["+experiment=sherlock", "+experiment=rnnbow"], "are two files of experiment, and"),
        (["layer_grid"], "layer_grid is no override; did you mean +sweep=layer_grid?"),
        (["adam"], "adam is no override; did you mean optimizer=adam?"),
        (["nothing"], "nothing is no override; write key=value"),
        (["--preview"], "--preview is no flag; options are written without dashes: sweep.preview="),
        (["--epochs", "3"], "without dashes: train.epochs=VALUE."),
        (["--epochs=3"], "without dashes: train.epochs=3."),
        (["--train.epochs=3"], "without dashes: train.epochs=3."),
        (["--rnn-size=3"], "without dashes: model.rnn_size=3."),
        (["--xyz"], "--help lists the flags."),
        (
            ["+model.layers=2"],
            "An item is already at 'model.layers'; Either remove + prefix: 'model.layers=2'; ",
        ),
        (["~model"], "~model takes away what every run needs; leave it out."),
        (["~model.cell"], "ModelConfig (DictConfig) does not support deletion."),
        (["~experiment"], "Could not delete 'experiment'. No match in the defaults list."),
        (["~nothing"], "Could not delete"),
        (["+experiment=sherlok"], "experiment=sherlok is not known; did you mean sherlock?"),
        (["hydra.run.dirr=3"], "Could not override 'hydra.run.dirr'; Key 'dirr' not in 'RunDir'."),
        (["hydra/launcher=nothing"], "Could not find 'hydra/launcher/nothing'; Available options"),
        (["hydra.searchpath=3"], "hydra.searchpath must be a list of strings. Got: 3."),
        (["--config-dir", "nowhere"], "nowhere' not found."),
        (["--config-name", "nothing"], "Cannot find primary config 'nothing'."),
        (["model.rnn_size=${model.nothing}"], "Interpolation key 'model.nothing' not found"),
        (["optimizer=adam", "optimizer.momentum=0.5"], "and an override sets it; leave it out"),
        (["name=caf\udce9"], "name=caf\\udce9 is not UTF-8"),
        (["output_dir=\udcff/x"], "output_dir=\\udcff/x is not UTF-8"),
        (["log.sample_prompt='\udce9'"], "is not UTF-8"),
        (["--experimental-rerun", "x.pickle"], "--experimental-rerun is not supported"),
        (["--resolve"], "--resolve goes with --cfg or --help"),
        (["--cfg", "job", "--info", "config"], "give one of them."),
    ],
)
def test_mistake_on_the_command_line_is_told_in_one_sentence(
    command: Command, module: str, arguments: list[str], words: str
) -> None:
    axes = ["seed=0,1"] if module == "sweep" and not {"--cfg"} & {*arguments} else []
    assert words in sentence(command(module, *arguments, *axes))
    assert words in sentence(command(module, *axes, *arguments))


@pytest.mark.parametrize(
    "text",
    ['log: {sample_prompt: "\\udce9"}', 'output_dir: "\\udcff"', 'data: {files: ["\\ud83d"]}'],
)
def test_text_of_a_file_that_is_no_utf8_is_refused(command: Command, own: Path, text: str) -> None:
    (own / "experiment" / "surrogate.yaml").write_text(f"# @package _global_\n{text}\n")
    where = ("--config-dir", str(own), "+experiment=surrogate")
    assert "is not UTF-8" in sentence(command("sweep", *where, "seed=0,1"))


FLAGS = [
    ["--cfg", "job"],
    ["-c", "job", "--package", "model"],
    ["--cfg=job", "--resolve"],
    ["--cfg", "all"],
    ["--cfg", "hydra"],
    ["--info", "all"],
    ["--info"],
    ["-i", "config"],
    ["--info", "defaults"],
    ["--info", "defaults-tree"],
    ["--info", "plugins"],
    ["--info", "searchpath"],
    ["--help"],
    ["--hydra-help"],
]


@pytest.mark.parametrize("mode", ["RUN", "MULTIRUN"])
@pytest.mark.parametrize("flags", [*FLAGS, ["--config-dir", "x"], ["-cn", "x"], []])
def test_flags_stand_before_between_and_after_overrides(mode: str, flags: list[str]) -> None:
    overrides = ["model.layers=3", "optimizer=adam"]
    before, between, after = (
        _read_arguments(hydra_command(mode), arguments)
        for arguments in (
            [*flags, *overrides],
            [overrides[0], *flags, overrides[1]],
            [*overrides, *flags],
        )
    )
    assert before == between == after
    assert [*overrides, f"hydra.mode={mode}"] == before[1] or "--hydra-help" in flags


@pytest.mark.parametrize("flags", [*FLAGS, ["--version"]])
def test_flags_show_what_hydra_shows(command: Command, flags: list[str]) -> None:
    module = "train" if len(flags) == 1 else "sweep"
    status, out, err = command(module, "model.layers=3", *flags, "optimizer=adam")
    assert status == 0, err
    assert out
    if {"job", "config", "--help", "--cfg=job"} & {*flags}:
        assert "layers: 3" in out


def test_modes_are_those_of_the_commands(command: Command) -> None:
    assert command("train", "model.layers=3", "--run")[:2] == (0, "model.layers=3")
    assert command("train", "+sweep=layer_grid", "-r")[:2] == (0, "model.layers=1")
    assert "use python -m lm.sweep" in sentence(command("train", "seed=1", "--multirun"))
    assert "use python -m lm.train" in sentence(command("sweep", "--run", "seed=1,2"))
    # The flag that other programs of Hydra need, anywhere: the sweeper sees that no axis is there.
    for arguments in (["-m", "seed=1"], ["seed=1", "--multirun"], ["seed=1"]):
        assert "there is nothing to sweep over" in sentence(command("sweep", *arguments))


def test_axes_where_there_is_one_configuration_are_refused(command: Command) -> None:
    for arguments in (["seed=0,1"], ["--cfg", "job", "seed=0,1"], ["seed=range(0,3)", "--help"]):
        assert "has several values, and " in sentence(command("train", *arguments))
    assert "sweep over it with python -m lm.sweep" in sentence(command("train", "seed=0,1"))
    found = sentence(command("sweep", "seed=0,1", "--info", "config"))
    assert "--info shows one configuration" in found
    assert "sweep.preview=true" in found


def test_another_sweeper_than_the_own_is_refused(command: Command, tmp_path: Path) -> None:
    from lm.sweep import main

    with pytest.raises(Exception, match="leave hydra/sweeper out"):
        main({})  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
@pytest.mark.parametrize("module", ["train", "sweep"])
def test_tab_completion_can_be_installed(command: Command, module: str, shell: str) -> None:
    for flag in ("--shell-completion", "-sc"):
        status, out, err = command(module, flag, f"install={shell}")
        assert (status, err) == (0, "")
        assert "complet" in out


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("python -m lm.train model.rnn_s", "model.rnn_size="),
        ("python3.11 -m lm.sweep +sweep=layer", "+sweep=layer_grid"),
        ("/usr/bin/python -m lm.train optimizer=ad", "optimizer=adam"),
        ("python lm/train.py model.cell=gru train.epo", "train.epochs="),
        ("python -m lm.sweep seed=0,1 model.lay", "model.layers="),
        ("python -m lm.train --cfg job model.lay", "model.layers="),
    ],
)
def test_tab_completion_answers_as_bash_asks(
    command: Command, monkeypatch: pytest.MonkeyPatch, line: str, found: str
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    status, out, err = command("train", "-sc", "query=bash")
    assert (status, err) == (0, "")
    assert found in out.split()


def test_bash_completes_a_line_by_the_installed_function() -> None:
    script = f"""
        eval "$({sys.executable} -m lm.train -sc install=bash)"
        COMP_WORDS=({sys.executable} -m lm.train model.rnn) COMP_CWORD=3
        COMP_LINE="${{COMP_WORDS[*]}}" COMP_POINT=${{#COMP_LINE}}
        _lm_sweeps_complete
        echo "${{COMPREPLY[@]}}"
        COMP_WORDS=({sys.executable} -m other model.rnn) COMPREPLY=()
        _lm_sweeps_complete
        echo "${{COMPREPLY[@]}}"
    """
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["model.rnn_size=", "", ""]
