"""Load word vectors from trained models and from files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lm.training.load import TrainedModel, load_trained
from lm.vectors.word_vectors import SUFFIXES, TABLE_CHOICES, WordVectors, file_suffix
from sweeps.errors import UserError


def load_vectors(where: Path, table: str) -> list[WordVectors]:
    """Load the tables of word vectors of a trial's folder, or the table of a file.

    Args:
      where: the folder, or a file with one of `SUFFIXES`.
      table: one of `TABLE_CHOICES`; a file and a model with tied weights have just one table.

    Raises:
      UserError: it is neither, or cannot be read.
    """
    if file_suffix(where) and not where.is_dir():
        return [_load_file(where)]
    if where.is_file():
        raise UserError(
            f"{where} is no file of vectors by its name; give it one of {', '.join(SUFFIXES)}."
        )
    return model_vectors(load_trained(where), table)


def model_vectors(trained: TrainedModel, table: str) -> list[WordVectors]:
    """Word vectors of a trained model, by `table` as in `load_vectors`."""
    params, vocabulary = trained.params, trained.vocabulary
    names = [name for name in TABLE_CHOICES[:2] if "weight" in params[name]]
    return [
        WordVectors(
            name=name,
            words=vocabulary.words,
            counts=vocabulary.counts,
            matrix=np.asarray(params[name]["weight"]),
        )
        for name in names
        if table in (name, "both") or len(names) == 1
    ]


def _load_file(path: Path) -> WordVectors:
    from gensim.models import KeyedVectors

    if not path.exists():
        raise UserError(f"there is no file {path}; check the path.")
    load: Callable[[], KeyedVectors]
    if file_suffix(path) == ".kv":
        load = lambda: KeyedVectors.load(str(path))  # noqa: E731
    else:
        binary = file_suffix(path) == ".bin"
        load = lambda: KeyedVectors.load_word2vec_format(str(path), binary=binary)  # noqa: E731
    try:
        found = load()
        words, matrix = list(found.index_to_key), np.asarray(found.vectors, np.float32)
        # For word2vec's formats gensim makes counts up.
        own = file_suffix(path) == ".kv" and "count" in found.expandos
    except Exception as error:  # a damaged file can surface as any error of its parsers
        what = str(error).strip() or type(error).__name__
        raise UserError(
            f"{path} cannot be read as vectors ({what.splitlines()[0][:100]}); "
            f"{_expected_format(path)}."
        ) from error
    counts = [int(count) for count in found.expandos["count"]] if own else None
    name = Path(path.stem).stem if path.suffix == ".gz" else path.stem
    return WordVectors(name=name, words=words, counts=counts, matrix=matrix)


def _expected_format(path: Path) -> str:
    formats = {".bin": "word2vec's binary format", ".kv": "a file that gensim saved"}
    text = "word2vec text, which begins with the numbers of words and of columns"
    return f"by its name it should be {formats.get(file_suffix(path), text)}"
