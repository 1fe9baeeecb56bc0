"""What defines the result of a run: its options and its text, wherever that text lies."""

import dataclasses
from typing import Any

from lm.config.schema import BY_UPDATE, HOLD, PLATEAU, RUN_ONLY, WSD, Config

_OPTIMIZER_OPTIONS = ("momentum", "beta1", "beta2", "smoothing", "epsilon")
"""Options that some optimizers have: null in the identity of a run whose optimizer lacks them."""


def identity_of(config: Config, text_digest: str, init_digest: str | None = None) -> dict[str, Any]:
    """Return plain values that are equal for two runs exactly if the runs compute the same.

    Args:
      config: a checked configuration.
      text_digest: hash of the corpus, `lm.data.dataset.Dataset.digest`.
      init_digest: hash of what `init_from` names, `lm.serialization.source.Source.digest`.
    """
    identity = dataclasses.asdict(config)
    for key in RUN_ONLY:
        del identity[key]
    del identity["train"]["checkpoint_minutes"]
    # Left out where they are not used, as trials of earlier versions had none.
    if config.train.accumulate == 1:
        del identity["train"]["accumulate"]
    if config.train.patience is None:
        del identity["train"]["patience"]
    if config.optimizer.schedule == HOLD:
        del identity["optimizer"]["schedule"], identity["optimizer"]["plateau_patience"]
    if not config.optimizer.warmup_steps:
        del identity["optimizer"]["warmup_steps"]
    if config.optimizer.schedule not in BY_UPDATE:
        del identity["optimizer"]["end_factor"]
    if config.optimizer.schedule != WSD:
        del identity["optimizer"]["decay_fraction"]
    if config.train.patience is not None or config.optimizer.schedule == PLATEAU:
        identity["ranking"] = {"metric": config.sweep.metric, "mode": config.sweep.mode}
    if config.init_from is None:
        del identity["init_from"]
    else:
        identity["init_from"] = init_digest
    del identity["data"]["root"]
    identity["data"]["files"] = text_digest
    identity["optimizer"] = {**dict.fromkeys(_OPTIMIZER_OPTIONS), **identity["optimizer"]}
    return identity
