"""Hydra's schema of the configuration, and configurations with types.

The defaults stand in `conf/`, one file for one choice. Hydra rejects unknown keys and wrong types
against the schema; `parse_config` checks ranges and combinations.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue

from lm.config.schema import Config
from lm.config.validate import check
from sweeps.errors import UserError

_packaged = Path(__file__).parents[1] / "conf"  # where a wheel carries conf/
CONFIG_DIR = _packaged if _packaged.is_dir() else Path(__file__).parents[2] / "conf"

_ADDED_OPTIONS: dict[str, Any] = {"log": {"vector_scores": False, "scalars_every": None}}
"""Options among them that a folder of an earlier version may lack, and what it did without."""


def register() -> None:
    """Make the schema known to Hydra as `schema`; call it before composing."""
    ConfigStore.instance().store(name="schema", node=Config)


def parse_config(values: Mapping[str, Any]) -> Config:
    """Check a composed configuration and give it its types.

    Raises:
      UserError: an option is missing, unknown, out of its range, or does not fit the others.
    """
    try:
        config = OmegaConf.to_object(OmegaConf.merge(_schema(), _ADDED_OPTIONS, values))
    except (MissingMandatoryValue, ConfigKeyError) as error:
        what = "has no value" if isinstance(error, MissingMandatoryValue) else "is no option"
        raise UserError(
            f"{error.full_key} {what}: the configuration is one of another version of this "
            "program; use that version, for a trial the commit in its provenance.json."
        ) from error
    assert isinstance(config, Config)
    check(config)
    return config


@cache
def _schema() -> DictConfig:
    """The schema, of which merging makes copies; to build it takes longer than to fill it."""
    schema = OmegaConf.structured(Config)
    assert isinstance(schema, DictConfig)
    return schema
