"""A shell's line, as Hydra completes it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lm.cli.completion import SCRIPTS, without_module


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("lm-train model.rnn_s", "lm model.rnn_s"),
        ("lm-sweep seed=0,1 mod", "lm -m seed=0,1 mod"),
        ("/usr/bin/lm-sweep ", "lm -m "),
        ("  lm-train --cfg job ", "lm --cfg job "),
        ("python -m lm.sweep a", "lm -m a"),
        ("python3.11 lm/train.py a", "lm a"),
        ("lm-trainer a", "lm-trainer a"),
        ("lm-compare a", "lm-compare a"),
        ("python -m lm.compare a", "python -m lm.compare a"),
        ("python lm-train a", "python lm-train a"),
    ],
)
def test_program_of_a_line_is_known(line: str, found: str) -> None:
    assert without_module(line) == found


def test_bash_completes_the_installed_scripts(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    for name in ("train", "sweep"):
        script = tmp_path / f"lm-{name}"
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -m lm.{name} "$@"\n')
        script.chmod(0o755)
    lines = [SCRIPTS["install=bash"]]
    for line in (f"{tmp_path}/lm-train model.rnn", f"{tmp_path}/lm-sweep seed=0,1 train.epo"):
        words = line.split()
        lines += [f"COMP_WORDS=({line}) COMP_CWORD={len(words) - 1} COMPREPLY=()"]
        lines += [f'COMP_LINE="{line}" COMP_POINT={len(line)}', "_lm_sweeps_complete"]
        lines += ['echo "${COMPREPLY[@]}"']
    lines += ["complete -p lm-train lm-sweep", SCRIPTS["uninstall=bash"], "complete -p lm-train"]
    done = subprocess.run([bash, "-c", "\n".join(lines)], capture_output=True, text=True)
    first, second, *installed = done.stdout.splitlines()
    assert (first, second) == ("model.rnn_size=", "train.epochs=")
    assert len(installed) == 2
