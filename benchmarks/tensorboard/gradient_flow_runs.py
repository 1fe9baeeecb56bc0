"""Runs with made-up records of gradient flow, written as training writes them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_TENSOR,
    Summary,
    SummaryMetadata,
)
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING

from lm.gradient_flow.codec import ComponentRecord, encode
from lm.gradient_flow.plugin.tags import LABELS, OVERVIEW, PLUGIN, PREFIX, VERSION
from sweeps.tensorboard.event_file import EventWriter

TEXT = (
    "static int next(struct list *l)\n{\n\tif (!l->head)\n\t\treturn -1;\n\tfor (i = 0; i < n; "
    "i++)\n\t\tsum += l->value[i];\n\treturn sum;\n}\n"
)
DECAY = {"rnn": 0.62, "gru": 0.84, "lstm": 0.88}


def write_run(
    folder: Path,
    steps: Sequence[int],
    cell: str = "rnn",
    length: int = 25,
    layers: int = 1,
    items: int = 1,
    units: int = 0,
    horizon: int | None = None,
    version: int = VERSION,
    words: bool = False,
) -> None:
    """Write a run, or further records of one.

    Its gradients reach further as training proceeds, and less far in cells without gates."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = ["h", "c"] if cell == "lstm" else ["h"]
    components = [f"layer_{layer}/{part}" for layer in range(1, layers + 1) for part in parts]
    about = {
        "v": version,
        "cell": cell,
        "layers": layers,
        "T": length,
        "items": items,
        "level": "word" if words else "char",
        "measures": ["norm", "mean_abs"],
        "components": components,
        "horizon": horizon,
    }
    content = json.dumps(about).encode()
    writer = EventWriter(folder, start=None)
    for number, step in enumerate(steps):
        rng = np.random.default_rng(step)
        age = number / max(1, len(steps) - 1)
        records = {
            name: make_record(rng, cell, age, place, items, length, horizon or length, units)
            for place, name in enumerate(components)
        }
        losses = rng.gamma(2.0, 1.2 - 0.8 * age, (items, length))
        labels = _labels(rng, losses, step, age, words)
        labels["share_beyond"] = dict.fromkeys(components, 0.031 if horizon else 0.0)
        overview = np.stack([overview_row(record.norms) for record in records.values()])
        values = [
            summary(OVERVIEW, _tensor(overview), DATA_CLASS_TENSOR, content),
            *(blob(f"{PREFIX}{name}", encode(one), content) for name, one in records.items()),
            blob(LABELS, json.dumps(labels).encode(), content),
        ]
        writer.write_values(values, step)
    writer.close()


def make_record(
    rng: np.random.Generator,
    cell: str,
    age: float,
    place: int,
    items: int,
    length: int,
    reach: int,
    units: int,
) -> ComponentRecord:
    """Make a record of contributions that vanish with distance."""
    t, k = np.arange(length)[:, None], np.arange(reach)
    decay = DECAY[cell] * (0.6 + 0.4 * age) + 0.02 * place
    rough = rng.lognormal(0, 0.35, (items, length, reach))
    loss = rng.gamma(1.2, 0.03 * (1.3 - age), (items, length, 1))
    norms = (loss * decay**k * rough * (k <= t)).astype(np.float32)
    each = None
    if units:
        weight = rng.dirichlet(np.full(units, 0.3))
        each = (norms[..., None] * weight * rng.lognormal(0, 0.3, units)).astype(np.float32)
    return ComponentRecord(norms, (norms / 40).astype(np.float32), each)


def overview_row(norms: np.ndarray) -> np.ndarray:
    """Summarize contributions: largest, sum, and steps back until a tenth of the peak."""
    below = norms[0] < 0.1 * norms[0].max(axis=1, keepdims=True)
    horizons = np.where(below.any(axis=1), below.argmax(axis=1), norms.shape[-1])
    return np.array([norms.max(), norms.sum(), horizons.mean()], np.float32)


def _labels(
    rng: np.random.Generator, losses: np.ndarray, step: int, age: float, words: bool
) -> dict[str, Any]:
    items, length = losses.shape
    tokens = TEXT.split() if words else list(TEXT)
    at = [(step * 7 + 31 * item) % len(tokens) for item in range(items)]
    inputs = [[tokens[(start + t) % len(tokens)] for t in range(length)] for start in at]
    targets = [[tokens[(start + t + 1) % len(tokens)] for t in range(length)] for start in at]
    right = rng.random((items, length)) < 0.25 + 0.45 * age
    guess = [
        [
            target if hit else tokens[rng.integers(len(tokens))]
            for target, hit in zip(row, hits, strict=True)
        ]
        for row, hits in zip(targets, right, strict=True)
    ]
    correct = [
        [a == b for a, b in zip(*rows, strict=True)] for rows in zip(targets, guess, strict=True)
    ]
    return {
        "inputs": inputs,
        "targets": targets,
        "predictions": guess,
        "losses": np.round(losses, 4).tolist(),
        "correct": correct,
    }


def summary(tag: str, tensor: Any, data_class: int, content: bytes) -> Any:
    """Make a summary value of TensorBoard."""
    plugin = SummaryMetadata.PluginData(plugin_name=PLUGIN, content=content)
    metadata = SummaryMetadata(plugin_data=plugin, data_class=data_class)
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def blob(tag: str, data: bytes, content: bytes) -> Any:
    """Make a summary value of TensorBoard that holds bytes."""
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[data])
    return summary(tag, tensor, DATA_CLASS_BLOB_SEQUENCE, content)


def _tensor(values: np.ndarray) -> Any:
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in values.shape])
    content = values.astype("<f4").tobytes()
    return TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=content)
