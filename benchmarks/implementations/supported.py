"""Configurations that the PyTorch and Flax implementations can train."""

from operator import attrgetter

from lm.config import Config
from sweeps.errors import UserError

SUPPORTED = {
    "loss.kind": ("softmax", "sampled_softmax"),
    "loss.over_time": ("mean",),
    "loss.activation_penalty": (0,),
    "loss.slowness_penalty": (0,),
    "model.tie_weights": (False,),
    "model.last_size": (None,),
    "model.dropout_kind": ("step",),
    "model.input_dropout": (None,),
    "model.output_dropout": (None,),
    "model.embedding_dropout": (0,),
    "model.weight_drop": (0,),
    "optimizer": ("momentum",),
    "optimizer.schedule": ("hold",),
    "optimizer.warmup_steps": (0,),
    "optimizer.weight_decay": (0,),
    "optimizer.average_patience": (None,),
    "train.accumulate": (1,),
    "train.predict": ("all",),
}


def check_supported(config: Config, precisions: tuple[str, ...] = ("float32",)) -> None:
    """Raise UserError for a configuration that PyTorch and Flax are not programmed for here.

    Args:
      config: what is to be trained.
      precisions: values of `train.precision` that the implementation has.
    """
    for key, supported in {**SUPPORTED, "train.precision": precisions}.items():
        value = attrgetter("optimizer.kind" if key == "optimizer" else key)(config)
        if value not in supported:
            shown = "null" if supported[0] is None else supported[0]
            raise UserError(f"{key}={value} has no counterpart among the peers; use {shown}.")
