"""A model as an ONNX graph, of ONNX's own operators RNN, GRU and LSTM.

| input or output              | type and shape   |                                          |
|------------------------------|------------------|------------------------------------------|
| `ids`                        | int64 [T, B]     | words, time first                        |
| `state_0_h`, `state_0_c`...  | float32 [B, H]   | state of each layer before the first word |
| `logits`                     | float32 [T, B, V] | of the word after each                  |
| `new_state_0_h`...           | float32 [B, H]   | state after the last word                |

T and B are free. The state before the first word of a text is zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lm.config.sizes import layer_sizes
from lm.serialization.exported import ExportedModel, FloatArray, Logits, States

if TYPE_CHECKING:
    from onnx import NodeProto

OPSET = 17
IR_VERSION = 8
"""Of ONNX 1.12 (2022), so that older runtimes read the file, too."""

OPERATORS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
GATES = {"rnn": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}
"""Where each gate of ONNX's operator stands in our kernels. GRU: ONNX has z, r, n, we r, z, n.
LSTM: ONNX has i, o, f, g, we i, f, g, o."""


def write(model: ExportedModel, path: Path) -> None:
    """Write the graph; its metadata is as that of a safetensors file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    float_, names = TensorProto.FLOAT, model.state_names
    units = [size for _, size in layer_sizes(model.config.model)]
    states = [(f"state_{i}_{name}", size) for i, size in enumerate(units) for name in names]

    def value(name: str, shape: list[int | str], kind: int = float_) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    arrays = dict(_arrays(model))
    graph = helper.make_graph(
        list(_nodes(model)),
        "language_model",
        inputs=[
            value("ids", ["T", "B"], TensorProto.INT64),
            *(value(name, ["B", size]) for name, size in states),
        ],
        outputs=[
            value("logits", ["T", "B", len(model.vocabulary)]),
            *(value(f"new_{name}", ["B", size]) for name, size in states),
        ],
        initializer=[numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="lm-sweeps"
    )
    made.ir_version = IR_VERSION
    helper.set_model_props(made, model.metadata())
    onnx.checker.check_model(made, full_check=True)
    path.write_bytes(made.SerializeToString())


def _nodes(model: ExportedModel) -> Iterator[NodeProto]:
    """The operators, from the words to the logits."""
    from onnx import helper

    node, options = helper.make_node, model.config.model
    yield node("Gather", ["embedding/weight", "ids"], ["embeddings"])
    reset: dict[str, Any] = {"linear_before_reset": 1} if options.cell == "gru" else {}
    x = "embeddings"
    for i, (_, units) in enumerate(layer_sizes(options)):
        before = [f"state_{i}_{name}" for name in model.state_names]
        for name in before:
            yield node("Unsqueeze", [name, "axis_0"], [f"{name}_of_direction"])
        after = [f"{name}_of_direction" for name in (f"new_{one}" for one in before)]
        weights = [f"layers/{i}/{name}" for name in ("W", "R", "B")]
        no_lengths = ""
        yield node(
            OPERATORS[options.cell],
            [x, *weights, no_lengths, *(f"{name}_of_direction" for name in before)],
            [f"outputs_{i}_of_direction", *after],
            hidden_size=units,
            **reset,
        )
        for name in before:
            yield node("Squeeze", [f"new_{name}_of_direction", "axis_0"], [f"new_{name}"])
        yield node("Squeeze", [f"outputs_{i}_of_direction", "axis_1"], [f"outputs_{i}"])
        x = f"outputs_{i}"
    if options.hidden_size is not None:
        yield node("MatMul", [x, "hidden/kernel"], ["hidden_product"])
        yield node("Add", ["hidden_product", "hidden/bias"], ["hidden_sum"])
        yield node("Tanh", ["hidden_sum"], ["features"])
        x = "features"
    table = "embedding/weight" if options.tie_weights else "output/weight"
    yield node("Transpose", [table], ["output_kernel"], perm=[1, 0])
    yield node("MatMul", [x, "output_kernel"], ["output_product"])
    yield node("Add", ["output_product", "output/bias"], ["logits"])


def _arrays(model: ExportedModel) -> Iterator[tuple[str, NDArray[Any]]]:
    """Parameters as the operators take them: rows of gates, in ONNX's order."""
    cell = model.config.model.cell
    yield "axis_0", np.array([0], np.int64)
    yield "axis_1", np.array([1], np.int64)
    for name, array in model.arrays.items():
        if not name.startswith("layers/"):
            yield name, array
    for i, (_, units) in enumerate(layer_sizes(model.config.model)):
        ours = {name: model.arrays[f"layers/{i}/{name}"] for name in ("bias", *KERNELS)}
        recurrent_bias = np.zeros_like(ours["bias"])
        if cell == "gru":
            recurrent_bias[2 * units :] = model.arrays[f"layers/{i}/recurrent_bias"]
        biases = [_gates_in_order(bias, cell) for bias in (ours["bias"], recurrent_bias)]
        for name, kernel in zip(("W", "R"), KERNELS, strict=True):
            yield f"layers/{i}/{name}", _gates_in_order(ours[kernel].T, cell)[None]
        yield f"layers/{i}/B", np.concatenate(biases)[None]


KERNELS = ("input_kernel", "recurrent_kernel")


def _gates_in_order(rows: FloatArray, cell: str) -> FloatArray:
    gates = np.split(rows, len(GATES[cell]))
    return np.concatenate([gates[place] for place in GATES[cell]])


def logits_of(model: ExportedModel, path: Path) -> Logits:
    """Return how onnxruntime computes with the file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = model.state_names

    def logits(ids: NDArray[np.int32], states: States) -> tuple[FloatArray, States]:
        flat = {
            f"state_{i}_{name}": array
            for i, layer in enumerate(states)
            for name, array in zip(names, layer, strict=True)
        }
        found, *after = session.run(None, {"ids": ids.astype(np.int64), **flat})
        layers = [after[i : i + len(names)] for i in range(0, len(after), len(names))]
        return found, tuple(tuple(layer) for layer in layers)

    return logits
