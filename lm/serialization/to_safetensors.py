"""A model as one file of safetensors: its parameters by name, and what it is as metadata."""

from pathlib import Path

import numpy as np

from lm.serialization.exported import ExportedModel


def write(model: ExportedModel, path: Path) -> None:
    """Write the file.

    Its metadata has the fields of `ExportedModel.description`, each but texts as JSON, and the
    vocabulary, a JSON list of words in the order of their ids.
    """
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in model.arrays.items()}
    path.write_bytes(save(arrays, metadata=model.metadata()))


def differs(model: ExportedModel, path: Path) -> list[str]:
    """Return the names of parameters that the file does not have bit for bit."""
    from safetensors.numpy import load_file

    found = load_file(path)
    names = {*found, *model.arrays}
    return sorted(
        name
        for name in names
        if name not in found
        or name not in model.arrays
        or not np.array_equal(found[name], model.arrays[name], equal_nan=True)
    )
