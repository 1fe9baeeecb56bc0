"""A model as a folder that needs PyTorch alone: weights, vocabulary and a small model file."""

import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm.serialization.exported import ExportedModel, FloatArray, Logits, States

MODEL = Path(__file__).with_name("torch_model.py")
"""Becomes `model.py` of the folder."""
FILES = ("model.py", "config.json", "vocabulary.tsv", "weights.pt")


def write(model: ExportedModel, directory: Path) -> None:
    """Write the folder, which is there and empty."""
    import torch

    shutil.copyfile(MODEL, directory / "model.py")
    described = json.dumps(model.description(), indent=2, ensure_ascii=False)
    (directory / "config.json").write_text(described + "\n", encoding="utf-8")
    model.vocabulary.save(directory / "vocabulary.tsv")
    weights = {name: torch.from_numpy(array) for name, array in state_dict(model).items()}
    if model.config.model.tie_weights:  # so that the file has it once
        weights["output.weight"] = weights["embedding.weight"]
    content = io.BytesIO()  # PyTorch hides what is wrong with a file that cannot be written
    torch.save(weights, content)
    (directory / "weights.pt").write_bytes(content.getbuffer())


def state_dict(model: ExportedModel) -> dict[str, FloatArray]:
    """Return the parameters as PyTorch's layers have them: kernels transposed, two biases a layer.

    The gates have PyTorch's order already.
    """
    arrays = model.arrays
    found = {"embedding.weight": arrays["embedding/weight"]}
    for i in range(model.num_layers):
        ours = {
            name: arrays[f"layers/{i}/{name}"]
            for name in ("input_kernel", "recurrent_kernel", "bias")
        }
        recurrent_bias = np.zeros_like(ours["bias"])
        if model.config.model.cell == "gru":
            own = arrays[f"layers/{i}/recurrent_bias"]
            recurrent_bias[-len(own) :] = own
        found |= {
            f"layers.{i}.weight_ih_l0": ours["input_kernel"].T,
            f"layers.{i}.weight_hh_l0": ours["recurrent_kernel"].T,
            f"layers.{i}.bias_ih_l0": ours["bias"],
            f"layers.{i}.bias_hh_l0": recurrent_bias,
        }
    if "hidden/kernel" in arrays:
        found |= {"hidden.weight": arrays["hidden/kernel"].T, "hidden.bias": arrays["hidden/bias"]}
    table = "embedding/weight" if model.config.model.tie_weights else "output/weight"
    found |= {"output.weight": arrays[table], "output.bias": arrays["output/bias"]}
    return {name: np.array(array, np.float32, order="C") for name, array in found.items()}


def logits_of(directory: Path) -> Logits:
    """Return how the folder's own `model.py` computes with it."""
    import torch

    spec = importlib.util.spec_from_file_location("exported_model", directory / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.load(directory)

    @torch.no_grad()
    def logits(ids: NDArray[np.int32], states: States) -> tuple[FloatArray, States]:
        before = [tuple(torch.from_numpy(np.array(array)) for array in layer) for layer in states]
        found, after = model(torch.from_numpy(ids.astype(np.int64)), before)
        return found.numpy(), tuple(tuple(array.numpy() for array in layer) for layer in after)

    return logits
