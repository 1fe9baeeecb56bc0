"""Hydra's schema of the configuration, and the way from a composed mapping to a checked `Config`.

The defaults stand in `conf/`, one file for one choice. Hydra rejects unknown keys and wrong types
against the schema; `parse_config` checks ranges and combinations.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf.errors import ConfigKeyError, MissingMandatoryValue

from lm.config.schema import HOLD, Config
from lm.config.validate import check
from sweeps.config.schema import parse, register_kinds
from sweeps.errors import UserError

_packaged = Path(__file__).parents[1] / "conf"  # where a wheel carries conf/
CONFIG_DIR = _packaged if _packaged.is_dir() else Path(__file__).parents[2] / "conf"

_ADDED_OPTIONS: dict[str, Any] = {
    "init_from": None,
    "log": {"vector_scores": False, "scalars_every": None},
    "optimizer": {
        "schedule": HOLD,
        "plateau_patience": 1,
        "warmup_steps": 0,
        "end_factor": 0.0,
        "decay_fraction": 0.1,
    },
    "train": {"patience": None, "accumulate": 1},
}
"""Options that a trial of an earlier version may lack, and the values that it trained with."""


def register() -> None:
    """Make the schema known to Hydra: `schema` and, for sections with kinds, `KIND_schema`.

    Call it before composing.
    """
    from hydra.core.config_store import ConfigStore  # a worker of a sweep does not load Hydra

    ConfigStore.instance().store(name="schema", node=Config)
    register_kinds(Config)


def parse_config(raw_config: Mapping[str, Any]) -> Config:
    """Check a composed configuration and give it its types.

    Raises:
      UserError: an option is missing, unknown, out of its range, or does not fit the others.
    """
    try:
        config = parse(Config, raw_config, _ADDED_OPTIONS)
    except (MissingMandatoryValue, ConfigKeyError) as error:
        what = "has no value" if isinstance(error, MissingMandatoryValue) else "is no option"
        raise UserError(
            f"{error.full_key} {what}: the configuration is one of another version of this "
            "program; use that version, for a trial the commit in its provenance.json."
        ) from error
    check(config)
    return config
