"""How many trials can train together in one process: plain arithmetic without JAX."""

import subprocess
from collections.abc import Mapping
from typing import Any, NamedTuple

import psutil

from lm.config import Config, ModelConfig, TrainConfig, parse_config
from lm.config.sizes import (
    GATES,
    STEPS_PER_CALL,
    feature_size,
    num_parameters,
    rnn_sizes,
    softmax_chunk_size,
)
from lm.data.dataset import load_dataset
from lm.data.windows import evaluation_window
from sweeps.plan import PackLimits

MOST_LANES = 256
PROCESS = 0.7e9
"""Bytes that a process takes before its first array: libraries and compiler."""


def pack_limits(raw_config: Mapping[str, Any], cpus: int, gpus: float) -> PackLimits:
    """Return how many lanes of a trial's kind fit into its slot's memory, and how many pay.

    On a CPU a pack takes longer than its lanes one after the other, so that one pays. No GPU has
    been measured yet; there as many are taken as fit.

    Args:
      cpus: of a slot; host memory is shared among as many slots as the CPUs make.
      gpus: a slot's share of a GPU; 0: it computes on CPUs.
    """
    need = memory(parse_config(raw_config))
    if gpus > 0:
        room = (
            0.9 * min(gpus, 1.0) * _gpu_bytes() - need.shared
        )  # as lm.backend.devices reserves it
        fit = _clip(room / (need.state + need.step))
        return PackLimits(max_lanes=fit, free_lanes=fit)
    slots = max(1, (psutil.cpu_count() or 1) // cpus)
    room = 0.8 * psutil.virtual_memory().total / slots - PROCESS - need.shared
    fit = _clip(room / (need.state + need.step))
    return PackLimits(max_lanes=fit, free_lanes=1)


class Memory(NamedTuple):
    """Bytes that a pack needs, roughly and rather too many."""

    shared: float
    """Whatever the number of lanes: the text, and the logits of one evaluated lane."""
    state: float
    """A lane's parameters and slots, and a copy of them while a checkpoint is written."""
    step: float
    """A lane's gradient and activations, while it takes a step."""


def memory(config: Config) -> Memory:
    """Return the memory that a pack of a configuration needs."""
    dataset = load_dataset(config.data)
    vocab_size, words = (
        len(dataset.vocabulary),
        len(dataset.train) + len(dataset.valid) + len(dataset.test),
    )
    loss, train = config.loss, config.train
    tokens = train.batch_size * train.sequence_length
    streams, length = evaluation_window(train)
    read = max(tokens, streams * length)
    slots = 1 if config.optimizer.kind in ("momentum", "lion") else 2
    slots += config.optimizer.average_patience is not None
    numbers = num_parameters(config.model, vocab_size)
    # Logits, their exponentials and their gradient.
    logits = 3 * tokens * (vocab_size if loss.kind == "softmax" else loss.samples + 1)
    # What is left of the recurrent kernels, and its gradient.
    dropped = 2 * GATES[config.model.cell] * sum(size**2 for size in rnn_sizes(config.model))
    dropped *= config.model.weight_drop > 0
    drawn = STEPS_PER_CALL * (loss.samples + 8)
    order = 3 * len(dataset.train) if train.predict == "last" else 0
    activations = _activations(config.model, train)
    return Memory(
        shared=4.0 * (3 * words + 3 * read * min(vocab_size, softmax_chunk_size("gpu"))),
        state=4.0 * 2 * (1 + slots) * numbers,
        step=4.0 * (2 * numbers + dropped + logits + drawn + order + activations),
    )


def _clip(count: float) -> int:
    return int(min(max(count, 1), MOST_LANES))


def _activations(model: ModelConfig, train: TrainConfig) -> int:
    """Count what the backward pass needs: inputs, gates and states of each layer, features."""
    sizes = rnn_sizes(model)
    layers = (3 * GATES[model.cell] + 4) * sum(sizes)
    each = 3 * model.embed_size + layers + 4 * feature_size(model)
    return train.batch_size * train.sequence_length * each


def _gpu_bytes() -> float:
    """Return the bytes of the smallest GPU here; 8 GB where there is none to ask."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return min(float(line) for line in done.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 8e9
