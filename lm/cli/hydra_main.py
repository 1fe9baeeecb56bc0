"""Hydra's entry for `lm.train` and `lm.sweep`: their schema, and checked overrides."""

import os
import sys
from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from lm.cli.completion import SCRIPTS, without_module
from lm.config import CONFIG_DIR, Config, register
from sweeps import hydra_main, hydra_sweeper
from sweeps.config import check_overrides
from sweeps.errors import UserError

COMMANDS = {"RUN": "python -m lm.train", "MULTIRUN": "python -m lm.sweep"}
"""Hydra's mode -> the command that has it."""


def run_command(task: Callable[[DictConfig], None], mode: str) -> None:
    """Compose the configuration of the command line and hand it to a task.

    Args:
      task: takes the composed configuration.
      mode: Hydra's RUN or MULTIRUN.
    """
    register()
    hydra_sweeper.register()
    hydra_main.run_command(hydra_command(mode), task)


def hydra_command(mode: str) -> hydra_main.HydraCommand:
    """Describe the command that has this mode."""
    (other_mode,) = set(COMMANDS) - {mode}
    return hydra_main.HydraCommand(
        name=COMMANDS[mode],
        config_dir=CONFIG_DIR,
        mode=mode,
        check=_check,
        complete=_complete,
        other_mode=COMMANDS[other_mode],
    )


def _check(arguments: Sequence[str]) -> None:
    check_overrides(arguments, CONFIG_DIR, Config)


def _complete(overrides: Sequence[str]) -> None:
    """Print a script for the shell, or prepare the line that Hydra is to complete."""
    if script := "".join(SCRIPTS.get(one, "") for one in overrides):
        print(script, end="")
        sys.exit()
    line = os.environ.get("COMP_LINE")
    if line is None or not any(one.startswith("query=") for one in overrides):
        raise UserError(f"--shell-completion needs one of {', '.join(SCRIPTS)}.")
    os.environ["COMP_LINE"] = without_module(line)
