"""What another training begins with: the model that `init_from` names.

A trial's folder stands for its best checkpoint, or for its newest one where it has no best. It is
told apart by its content, so that a folder may move.
"""

import hashlib
import importlib.util
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lm.config import Config, ModelConfig
from lm.config.sizes import parameter_shapes
from lm.data.vocabulary import Vocabulary
from lm.serialization.exported import FORMAT
from sweeps.errors import UserError, first_line
from sweeps.io.atomic import read_json
from sweeps.store import read_config

OPTION = "init_from"
SOURCE_FILE = "init_from.json"
"""In the folder of a trial that began with another one's parameters: which, and what was taken."""
PARAMS = "state/params/"
"""Begins the name of a parameter in a checkpoint's file."""
OTHER_WORDS = "of another vocabulary"


@dataclass(frozen=True)
class Source:
    """A trained model that another training begins with; its arrays are not read yet."""

    path: Path
    """A trial's folder, or a file of safetensors."""
    checkpoint: str | int | None
    """Of a folder: `best` or a step."""
    cell: str
    words: tuple[str, ...]
    """The vocabulary, in the order of the ids."""
    shapes: Mapping[str, tuple[int, ...]]
    """Of each parameter, by name."""
    digest: str
    """Hex SHA-256 of the parameters' file and of the vocabulary."""


class Match(NamedTuple):
    """Which parameters of a model start as those of a source."""

    taken: list[str]
    """Their names."""
    left: dict[str, str]
    """Names of those that are drawn, and why."""


def read_source(path: str) -> Source:
    """Read what there is, without the arrays and without JAX.

    Raises:
      UserError: it is no trial's folder and no file of an export, or has no checkpoint.
    """
    place = Path(path)
    if place.is_dir():
        checkpoint = _checkpoint(place)
        file = place / "checkpoints" / str(checkpoint) / "state.npz"
    elif place.exists():
        checkpoint, file = None, place
    else:
        raise UserError(
            f"{OPTION}={path}: there is no such folder or file; name a trial's folder, "
            "outputs/SWEEP/TRIAL, or a file of lm.export --to safetensors."
        )
    stat = file.stat()
    return _read_once(place, checkpoint, file, (stat.st_mtime_ns, stat.st_size, stat.st_ino))


def match(source: Source, model: ModelConfig, words: list[str]) -> Match:
    """Say which parameters are taken: those of equal names and shapes that mean the same.

    Rows of the tables are words, so these are taken where the vocabularies are equal; recurrent
    layers where the cells are.
    """
    here = parameter_shapes(model, len(words))
    same_words = tuple(words) == source.words
    left = {}
    for name, shape in here.items():
        there = source.shapes.get(name)
        if there is None:
            left[name] = "not there"
        elif name.startswith("layers/") and source.cell != model.cell:
            left[name] = f"of cell {source.cell} there, {model.cell} here"
        elif there != shape:
            left[name] = f"{list(there)} there, {list(shape)} here"
        elif name.split("/")[0] in ("embedding", "output") and not same_words:
            left[name] = OTHER_WORDS
    return Match([name for name in here if name not in left], left)


def check_source(path: str, model: ModelConfig, words: list[str]) -> Source:
    """Read a source and refuse one from which a model of this shape takes nothing.

    Raises:
      UserError: as `read_source`, or nothing fits.
    """
    source = read_source(path)
    found = match(source, model, words)
    if not found.taken:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.left.items())
        raise UserError(
            f"{OPTION}={path}: no parameter has the name and the shape of one here ({reasons}); "
            "take the sizes of that model, or leave the option out."
        )
    return source


def init_digest(config: Config, directory: Path | None = None) -> str | None:
    """Return the digest of what a training begins with; None where all parameters are drawn.

    Args:
      config: of the training.
      directory: folder of a trial that may have begun; it has the digest then, and what it names
        may be gone.

    Raises:
      UserError: the other model cannot be read.
    """
    if config.init_from is None:
        return None
    kept = read_json(directory / SOURCE_FILE) if directory else None
    return kept["sha256"] if kept else read_source(config.init_from).digest


def describe(path: str, what: str, found: Match) -> list[str]:
    """Return lines that say which parameters are taken and which are not, and why.

    Args:
      path: `init_from`.
      what: of its trial's checkpoints, in words.
      found: which they are.
    """
    lines = [f"Parameters of {path} ({what}) that are taken: {', '.join(found.taken)}."]
    if found.left:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.left.items())
        lines.append(f"Parameters that are drawn: {reasons}.")
    return lines


def _checkpoint(folder: Path) -> str | int:
    """The best checkpoint of a trial, or the step of its newest one."""
    if not (folder / "trial.json").is_file():
        inside = sorted(path.parent.name for path in folder.glob("*/trial.json"))
        hint = f", as {folder / inside[0]}" if inside else ", outputs/SWEEP/TRIAL"
        raise UserError(
            f"{OPTION}={folder} is no trial's folder; name one{hint}, or a file of lm.export --to "
            "safetensors."
        )
    found = [path.parent.name for path in (folder / "checkpoints").glob("*/state.npz")]
    if "best" in found:
        return "best"
    steps = [int(name) for name in found if name.isdecimal()]
    if not steps:
        raise UserError(
            f"{OPTION}={folder} has no checkpoint; name a trial that has one (they are kept "
            "unless sweep.keep_checkpoints=none)."
        )
    return max(steps)


@lru_cache(maxsize=64)
def _read_once(place: Path, checkpoint: str | int | None, file: Path, stamp: object) -> Source:
    return _read_safetensors(file) if checkpoint is None else _read_trial(place, checkpoint, file)


def _read_trial(folder: Path, checkpoint: str | int, file: Path) -> Source:
    model = read_config(folder)["model"]
    words = Vocabulary.load(folder / "vocab.tsv").words
    try:
        shapes = _npz_shapes(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{OPTION}={folder}: its checkpoint {checkpoint} cannot be read "
            f"({first_line(error)}); name another trial."
        ) from error
    return Source(folder, checkpoint, model["cell"], tuple(words), shapes, _digest(file, words))


def _npz_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters in a checkpoint, from the headers of its arrays."""
    shapes = {}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.startswith(PARAMS):
                with archive.open(name) as stream:
                    np.lib.format.read_magic(stream)
                    shape, _, _ = np.lib.format.read_array_header_1_0(stream)
                shapes[name.removeprefix(PARAMS).removesuffix(".npy")] = shape
    return shapes


def _read_safetensors(file: Path) -> Source:
    if importlib.util.find_spec("safetensors") is None:
        raise UserError(
            f"{OPTION}={file} needs the package safetensors; "
            "pip install 'lm-sweeps[safetensors]', or name the trial's folder."
        )
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as opened:
            metadata = opened.metadata() or {}
            names = list(opened.keys())
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{OPTION}={file} is no file of safetensors ({first_line(error)}); name one that "
            "lm.export --to safetensors wrote, or a trial's folder."
        ) from error
    if metadata.get("format") != str(FORMAT):
        raise UserError(
            f"{OPTION}={file} was not written by lm.export of this version (its format is "
            f"{metadata.get('format')}, and format {FORMAT} is read); export the model again."
        )
    words = json.loads(metadata["vocabulary"])
    return Source(file, None, metadata["cell"], tuple(words), shapes, _digest(file, words))


def read_safetensors_arrays(source: Source) -> dict[str, Any]:
    """Read the parameters of a source that is a file, by name."""
    from safetensors.numpy import load_file

    return dict(load_file(source.path))


def checkpoint_in_metadata(source: Source) -> str:
    """Say of which checkpoint a file of safetensors is."""
    from safetensors import safe_open

    with safe_open(source.path, "np") as opened:
        metadata = opened.metadata()
    return f"{metadata['checkpoint']} checkpoint of {metadata['trial']}, step {metadata['step']}"


def _digest(file: Path, words: list[str]) -> str:
    with file.open("rb") as stream:
        own = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashlib.sha256(json.dumps([own, words]).encode()).hexdigest()
