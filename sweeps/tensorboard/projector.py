"""Files of TensorBoard's projector for a run: vectors, metadata of the points, and a configuration.

TensorBoard reads the files of all runs whenever it finds a new run, and a single damaged file makes
the whole tab fail. So the configuration is written last, when the files that it names are complete.
Their names hold the shape of the vectors. So a configuration that TensorBoard read earlier never
names vectors of another shape.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeps.io.atomic import cannot_write, make_directory, write_bytes, write_text
from sweeps.tensorboard.values import Embedding

CONFIG = "projector_config.pbtxt"
"""Name of the configuration in the run's folder.

TensorBoard refuses files that do not lie below that folder."""

FOLDER = "projector"
"""Name of the folder of the other files, in the run's folder."""


def write_embeddings(directory: Path, embeddings: Mapping[str, Embedding]) -> None:
    """Replace the embeddings that the projector shows of a run.

    Args:
      directory: the run's folder; it exists.
      embeddings: name -> embedding; a name may hold any characters but a slash.

    Raises:
      UserError: the disk is full, or the folder cannot be written.
    """
    folder = directory / FOLDER
    make_directory(folder)
    kept, entries = set(), []
    for name, embedding in embeddings.items():
        vectors = np.ascontiguousarray(embedding.vectors, "<f4")
        shape = "x".join(map(str, vectors.shape))
        tensor, metadata = f"{name}-{shape}.tensor", f"{name}-{shape}.tsv"
        write_bytes(folder / tensor, tensor_bytes(vectors))
        write_text(folder / metadata, metadata_text(embedding.rows, embedding.columns))
        entries.append(_entry(name, vectors.shape, f"{FOLDER}/{tensor}", f"{FOLDER}/{metadata}"))
        kept |= {tensor, metadata}
    write_text(directory / CONFIG, "".join(entries))
    _remove_others(folder, kept)


def tensor_bytes(vectors: NDArray[np.float32]) -> bytes:
    """Return vectors as float32, little-endian, row by row, or as a table of text.

    TensorBoard takes a file for text up to the first line that is not UTF-8, and fails at a line of
    text that holds no numbers. So vectors whose bytes begin with a line of UTF-8 are written as
    text: all zeros, and one in some hundreds of others.
    """
    data = vectors.tobytes()
    try:
        data.partition(b"\n")[0].decode("utf-8")
    except UnicodeDecodeError:
        return data
    rows = ("\t".join(f"{value:.9g}" for value in row) for row in vectors)
    return "".join(f"{row}\n" for row in rows).encode()


def metadata_text(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """Return a table of metadata; the projector wants no heading where there is one column."""
    lines = [columns, *rows] if len(columns) > 1 else rows
    return "".join("\t".join(map(_cell, line)) + "\n" for line in lines)


def _cell(text: str) -> str:
    """Return a text as the projector can show it.

    The projector cuts texts at tabs and newlines, skips blank lines and reads blanks as the number
    0. Its search fails at an empty cell.
    """
    if not text:
        return '""'
    if text.isspace():
        text = text.replace(" ", "\u2423")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _entry(name: str, shape: Sequence[int], tensor: str, metadata: str) -> str:
    """Return an embedding of a `ProjectorConfig`, in the text form of protocol buffers."""
    texts = {"tensor_name": name, "metadata_path": metadata, "tensor_path": tensor}
    lines = [f"  {key}: {json.dumps(text)}" for key, text in texts.items()]
    lines += [f"  tensor_shape: {size}" for size in shape]
    return "\n".join(["embeddings {", *lines, "}"]) + "\n"


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove files of other shapes, and those that a killed process left."""
    try:
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
