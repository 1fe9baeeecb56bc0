"""The ONNX graph: onnxruntime gives equal logits, for any number of words and texts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.serialization import to_onnx
from tests.lm.helpers.exports import SHAPES, WORDS, assert_equal_logits, make_exported

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

Compose = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_states_equal_the_models(compose: Compose, tmp_path: Path, shape: str) -> None:
    model, reference, _ = make_exported(compose, SHAPES[shape])
    path = tmp_path / "model.onnx"
    to_onnx.write(model, path)
    assert_equal_logits(model, to_onnx.logits_of(model, path), reference)


def test_graph_says_what_it_is(compose: Compose, tmp_path: Path) -> None:
    model, _, _ = make_exported(compose, SHAPES["lstm_stack"])
    path = tmp_path / "model.onnx"
    to_onnx.write(model, path)
    read = onnx.load(path)
    metadata = {entry.key: entry.value for entry in read.metadata_props}
    assert json.loads(metadata["vocabulary"]) == WORDS
    assert (metadata["cell"], metadata["step"]) == ("lstm", "3")
    names = [f"state_{layer}_{name}" for layer in range(3) for name in "hc"]
    assert [value.name for value in read.graph.input] == ["ids", *names]
    outputs = [value.name for value in read.graph.output]
    assert outputs == ["logits", *(f"new_{name}" for name in names)]
