"""The hook that tells the tags of all metrics that a trial reports; plain names, without JAX."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from lm.config import DataConfig
from lm.config.validate import KINDS, tags
from lm.data.dataset import load_dataset

GATES = {
    "rnn": (),
    "gru": ("reset_gate", "update_gate"),
    "lstm": ("input_gate", "forget_gate", "output_gate"),
}
"""Gates of each cell, as activations are named."""
STATES = {"rnn": ("h",), "gru": ("h",), "lstm": ("both", "h", "c")}
"""Parts of each cell's state whose gradients are itemized."""


def reports(raw_config: Mapping[str, Any]) -> list[list[str]]:
    """Return the tags in each kind of report of a trial.

    The kinds are a report between two evaluations, such a report with what callbacks observe, an
    evaluation, the first one and the last one.

    Args:
      raw_config: a configuration that has been checked, so that thousands take no time.
    """
    plain = [
        *("train/loss", "train/grad_norm", "train/grad_norm_clipped", "train/clipped_share"),
        *("train/learning_rate", "time/epoch", "time/words_per_second"),
    ]
    log, tied = raw_config["log"], raw_config["model"]["tie_weights"]
    evaluation = [*plain, *_losses("valid")]
    shares: list[str] = []
    if log["vector_scores"]:
        evaluation += tags(tied)
        shares = [f"vectors/{kind}_share" for kind in KINDS]
    has_test = len(load_dataset(DataConfig(**raw_config["data"])).test) > 0
    tested = [*_losses("test"), *(f"{tag}_at_best" for tag in _losses("test"))]
    last = [*evaluation, *(tested if has_test else ())]
    return [plain, [*plain, *_observed(raw_config)], evaluation, [*evaluation, *shares], last]


def _losses(split: str) -> list[str]:
    return [f"{split}/loss", f"{split}/perplexity"]


def _observed(raw_config: Mapping[str, Any]) -> Iterator[str]:
    """Tags of what callbacks see in a step."""
    model, flow = raw_config["model"], raw_config["gradient_flow"]
    layers = [f"layer_{number}" for number in range(1, model["layers"] + 1)]
    if raw_config["log"]["histogram_every"]:
        hidden = model["hidden_size"] is not None
        for what in ("param_norm", "update_norm"):
            for part in ("embedding", *layers, *(["hidden"] if hidden else []), "output"):
                yield f"within/{what}/{part}"
        units = [f"{layer}/{name}" for layer in layers for name in _units(model["cell"])]
        for name in (*units, *(["hid_out"] if hidden else [])):
            yield f"within/saturation/{name}"
    if flow["every"]:
        limited = (flow["horizon"] or math.inf) < raw_config["train"]["sequence_length"]
        for number, layer in enumerate(layers):
            for state in STATES[model["cell"]]:
                yield f"gradient_flow/horizon/{layer}/{state}"
                if limited:
                    yield f"gradient_flow/beyond/{layer}/{state}"
            if number > 0:
                yield f"gradient_flow/horizon/{layer}/down"


def _units(cell: str) -> tuple[str, ...]:
    """Activations of a layer that can saturate."""
    if cell == "rnn":
        return ("out",)
    return (*GATES[cell], "candidate", *(["cell_out"] if cell == "lstm" else []))
