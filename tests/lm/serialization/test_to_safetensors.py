"""The file of safetensors: parameters bit for bit, and what the model is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm.serialization import to_safetensors
from tests.lm.helpers.exports import SHAPES, WORDS, make_exported

safetensors = pytest.importorskip("safetensors", reason="the extra safetensors is not installed")

Compose = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("shape", SHAPES)
def test_arrays_are_read_bit_for_bit(compose: Compose, tmp_path: Path, shape: str) -> None:
    model, _, _ = make_exported(compose, SHAPES[shape])
    path = tmp_path / "model.safetensors"
    to_safetensors.write(model, path)
    assert to_safetensors.differs(model, path) == []
    changed = model.arrays | {"output/bias": np.nextafter(model.arrays["output/bias"], 9)}
    assert to_safetensors.differs(model._replace(arrays=changed), path) == ["output/bias"]
    fewer = {name: array for name, array in model.arrays.items() if name != "layers/0/bias"}
    assert to_safetensors.differs(model._replace(arrays=fewer), path) == ["layers/0/bias"]


def test_metadata_says_what_the_model_is_and_has_no_paths(compose: Compose, tmp_path: Path) -> None:
    model, _, _ = make_exported(
        compose, ("data=text", "data.root=/secret", "data.files=[mine.txt]", "model.layers=2")
    )
    path = tmp_path / "model.safetensors"
    to_safetensors.write(model, path)
    with safetensors.safe_open(path, "np") as opened:
        metadata = opened.metadata()
    assert json.loads(metadata["vocabulary"]) == WORDS
    assert json.loads(metadata["layer_sizes"]) == [7, 7]
    assert json.loads(metadata["config"])["model"]["rnn_size"] == 7
    assert (metadata["format"], metadata["step"], metadata["checkpoint"]) == ("1", "3", "best")
    assert "secret" not in str(metadata)
    assert "mine.txt" not in str(metadata)
