"""Composes the configuration that `python -m lm.train` would make of some overrides."""

from collections.abc import Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from lm.config import CONFIG_DIR, register
from sweeps import hydra_sweeper
from sweeps.errors import UserError


def compose_values(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose plain values, as `lm.config.load.parse_config` takes them.

    Raises:
      UserError: an override is not known, or its value does not fit.
    """
    register()
    hydra_sweeper.register()
    try:
        with initialize_config_dir(str(CONFIG_DIR.resolve()), version_base="1.3"):
            config = compose("config", overrides=list(overrides))
    except HydraException as error:
        raise UserError(str(error)) from error
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}
