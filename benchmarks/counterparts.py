"""Which configurations the peers can train."""

from lm.config import Config
from sweeps.errors import UserError

KNOWN = {
    "loss.kind": ("softmax", "sampled_softmax"),
    "loss.over_time": ("mean",),
    "model.tie_weights": (False,),
    "optimizer": ("momentum",),
    "train.predict": ("all",),
    "train.precision": ("float32",),
}


def check(config: Config) -> None:
    """Raise UserError for a configuration that has no counterpart among the peers."""
    given = {
        "loss.kind": config.loss.kind,
        "loss.over_time": config.loss.over_time,
        "model.tie_weights": config.model.tie_weights,
        "optimizer": config.optimizer.kind,
        "train.predict": config.train.predict,
        "train.precision": config.train.precision,
    }
    for key, value in given.items():
        if value not in KNOWN[key]:
            raise UserError(
                f"{key}={value} has no counterpart among the peers; use {KNOWN[key][0]}."
            )
