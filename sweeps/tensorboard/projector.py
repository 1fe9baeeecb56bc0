"""A run's vectors for TensorBoard's projector: raw numbers, what each point is, and where both lie.

TensorBoard reads all runs' files whenever it meets a new run, and a single damaged one takes the
whole tab away. So the configuration is written last, over complete files whose names hold the
shape: it fits them at any time, and one that TensorBoard has read before never fits other numbers.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeps.io.atomic import cannot_write, make_directory, write_bytes, write_text
from sweeps.tensorboard.values import Embedding

CONFIG = "projector_config.pbtxt"
"""In the run's folder, and all files that it names below that: TensorBoard refuses others."""

FOLDER = "projector"


def write_embeddings(directory: Path, embeddings: Mapping[str, Embedding]) -> None:
    """Replace what the projector shows of a run.

    Args:
      directory: the run's folder; it exists.
      embeddings: by name, which may hold any characters but a slash.

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
    """float32, little-endian, row by row; as a table of text where those bytes look like text.

    For TensorBoard takes a file for text up to the first line that is not UTF-8, and fails at a
    line of text that holds no numbers. All zeros look so, and of others one in some hundreds.
    """
    data = vectors.tobytes()
    try:
        data.partition(b"\n")[0].decode("utf-8")
    except UnicodeDecodeError:
        return data
    rows = ("\t".join(f"{value:.9g}" for value in row) for row in vectors)
    return "".join(f"{row}\n" for row in rows).encode()


def metadata_text(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """A table with a head; without one where there is one column, as the projector wants it."""
    lines = [columns, *rows] if len(columns) > 1 else rows
    return "".join("\t".join(map(_cell, line)) + "\n" for line in lines)


def _cell(text: str) -> str:
    """A text as the projector can show it: it cuts at tabs and newlines, skips blank lines, takes
    blanks for the number 0, and its search fails at an empty cell."""
    if not text:
        return '""'
    if text.isspace():
        text = text.replace(" ", "\u2423")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _entry(name: str, shape: Sequence[int], tensor: str, metadata: str) -> str:
    """One embedding of a `ProjectorConfig`, in the text form of protocol buffers."""
    texts = {"tensor_name": name, "metadata_path": metadata, "tensor_path": tensor}
    lines = [f"  {key}: {json.dumps(text)}" for key, text in texts.items()]
    lines += [f"  tensor_shape: {size}" for size in shape]
    return "\n".join(["embeddings {", *lines, "}"]) + "\n"


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Those of another shape, and what a killed process has left."""
    try:
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error
