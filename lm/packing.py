"""Which trials can share a compiled program, and how many of them can train together.

Plain arithmetic without JAX, for the driver of a sweep; `lm.program` takes its key from here.
"""

import subprocess
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial, reduce
from operator import attrgetter, getitem
from typing import Any, NamedTuple

import psutil

from lm.config import RUN_ONLY, Config, typed
from lm.data.tokens import load_tokens
from lm.data.windows import evaluation_window
from lm.options import ModelConfig, TrainConfig
from lm.sizes import AHEAD, GATES, feature_size, parameters, rnn_sizes, softmax_words
from sweeps.packing import Lanes

ARRAYS: Mapping[str, Any] = {
    "model.forget_bias": 1.0,
    "model.embed_scale": 1.0,
    "model.initializer.scale": 1.0,
    "optimizer.learning_rate": 1.0,
    "optimizer.momentum": None,
    "optimizer.hold_epochs": None,
    "optimizer.decay": 1.0,
    "train.epochs": 1,
    "train.clip_norm": None,
    "train.checkpoint_minutes": 0.0,
    "train.changes": (),
}
"""Options that come in as arrays or do not reach the device, and a value that stands for any."""

SWITCHES = (
    "model.dropout",
    "model.input_dropout",
    "model.output_dropout",
    "model.embedding_dropout",
    "model.weight_drop",
    "loss.activation_penalty",
    "loss.slowness_penalty",
    "optimizer.weight_decay",
)
"""Options that are arrays, too, but that none at all is other code; null: as model.dropout."""

MOST_LANES = 256
PROCESS = 0.7e9
"""Bytes that a process takes before its first array: libraries and compiler."""


def without_arrays(config: Config) -> Config:
    """The configuration of the compiled code: all options that are arrays have one value."""
    for key, value in _stand_ins(partial(_option, config)).items():
        config = _with(config, key.split("."), value)
    return config


def _stand_ins(value_of: Callable[[str], Any]) -> dict[str, Any]:
    """What stands for the values of options that are arrays; `value_of` gives an option's value."""
    found = dict(ARRAYS)
    for key in SWITCHES:
        value = value_of(key)
        share = value_of("model.dropout") if value is None else value
        found[key] = 0.5 if share > 0 else 0.0
    return found


def _option(section: Any, key: str) -> Any:
    return attrgetter(key)(section)


def _with(section: Any, path: list[str], value: Any) -> Any:
    """A copy of a dataclass with one option changed."""
    name, *rest = path
    return replace(section, **{name: _with(getattr(section, name), rest, value) if rest else value})


def group(values: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for trials to train in one pack: shapes, code, text and reports."""
    left = {key: deepcopy(part) for key, part in values.items() if key not in (*RUN_ONLY, "seed")}
    for key, value in _stand_ins(lambda key: reduce(getitem, key.split("."), left)).items():
        *sections, name = key.split(".")
        reduce(getitem, sections, left)[name] = value if value != () else []
    return left


def lanes(values: Mapping[str, Any], cpus: int, gpus: float) -> Lanes:
    """How many lanes of a trial's kind fit into its slot's memory, and how many pay.

    On a CPU a pack takes as long as its lanes one after the other; a GPU is left idle by one lane.

    Args:
      cpus: of a slot; host memory is shared among as many slots as the CPUs make.
      gpus: a slot's share of a GPU; 0: it computes on CPUs.
    """
    need = memory(typed(values))
    if gpus > 0:
        room = 0.9 * min(gpus, 1.0) * _gpu_bytes() - need.shared  # as lm.devices reserves it
        fit = _clip(room / (need.state + need.step))
        return Lanes(fit, fit)
    slots = max(1, (psutil.cpu_count() or 1) // cpus)
    room = 0.8 * psutil.virtual_memory().total / slots - PROCESS - need.shared
    return Lanes(_clip(room / (need.state + need.step)), 1)


class Memory(NamedTuple):
    """Bytes that a pack needs, roughly and rather too many."""

    shared: float
    """Whatever the number of lanes: the text, and the logits of one evaluated lane."""
    state: float
    """A lane's parameters and slots, and a copy of them while a checkpoint is written."""
    step: float
    """A lane's gradient and activations, while it takes a step."""


def memory(config: Config) -> Memory:
    """What a pack of a configuration needs."""
    text = load_tokens(config.data)
    vocab_size, words = len(text.vocabulary), len(text.train) + len(text.valid) + len(text.test)
    loss, train = config.loss, config.train
    tokens = train.batch_size * train.sequence_length
    streams, length = evaluation_window(train)
    read = max(tokens, streams * length)
    slots = 1 if config.optimizer.kind == "momentum" else 2
    slots += config.optimizer.average_patience is not None
    numbers = parameters(config.model, vocab_size)
    # Logits, their exponentials and their gradient.
    logits = 3 * tokens * (vocab_size if loss.kind == "softmax" else loss.samples + 1)
    # What is left of the recurrent kernels, and its gradient.
    dropped = 2 * GATES[config.model.cell] * sum(size**2 for size in rnn_sizes(config.model))
    dropped *= config.model.weight_drop > 0
    drawn = AHEAD * (loss.samples + 8)
    order = 3 * len(text.train) if train.predict == "last" else 0
    activations = _activations(config.model, train)
    return Memory(
        shared=4.0 * (3 * words + 3 * read * min(vocab_size, softmax_words("gpu"))),
        state=4.0 * 2 * (1 + slots) * numbers,
        step=4.0 * (2 * numbers + dropped + logits + drawn + order + activations),
    )


def _clip(count: float) -> int:
    return int(min(max(count, 1), MOST_LANES))


def _activations(model: ModelConfig, train: TrainConfig) -> int:
    """Numbers that the backward pass needs: inputs, gates and states of each layer, features."""
    sizes = rnn_sizes(model)
    layers = (3 * GATES[model.cell] + 4) * sum(sizes)
    each = 3 * model.embed_size + layers + 4 * feature_size(model)
    return train.batch_size * train.sequence_length * each


def _gpu_bytes() -> float:
    """Memory of the smallest GPU here; 8 GB where there is none to ask."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return min(float(line) for line in done.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 8e9
