"""Hydra's entry for a command: the schema, checked overrides, and the mode of the run."""

import sys
from collections.abc import Callable

import hydra
from omegaconf import DictConfig

from lm.config import CONFIG_DIR, Config, register
from sweeps import hydra_sweeper
from sweeps.cli.exit import exit_on_user_error
from sweeps.config import check_overrides


def run_command(task: Callable[[DictConfig], None], mode: str) -> None:
    """Compose the configuration of the command line and hand it to a task.

    Args:
      task: takes the composed configuration.
      mode: Hydra's RUN or MULTIRUN. It belongs to the command, not to the configuration: the
        single run that reproduces a trial names the sweep's file, for the values it sets.
    """
    register()
    hydra_sweeper.register()
    with exit_on_user_error(goes_on=True):
        check_overrides(sys.argv[1:], CONFIG_DIR, Config)
    sys.argv.append(f"hydra.mode={mode}")
    main = hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name="config")
    main(exit_on_user_error(goes_on=True)(task))()
