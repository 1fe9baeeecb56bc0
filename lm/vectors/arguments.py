"""The command line of `python -m lm.vectors`, and what is refused before JAX loads."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lm.cli.arguments import add_checkpoint, add_location, positive_int
from lm.vectors.config import NONE, Word2VecConfig, compose_models, split_overrides
from lm.vectors.word_vectors import TABLE_CHOICES, file_suffix
from sweeps.cli.version import add_version
from sweeps.errors import UserError

ACTIONS = ("similar", "analogy", "judge", "export", "page")
_FORMATS = "word2vec's text (.txt, .vec) or binary (.bin) format, or gensim's own (.kv)"
_BESIDE = (
    "+vectors=NAME or '+vectors=[NAME,...]' trains gensim's Word2Vec on a trial's own text and "
    "shows its vectors beside the trial's; conf/vectors has the NAMEs, with their options, which "
    "are set as in vectors.skipgram.window=8."
)


class ParsedArguments(NamedTuple):
    """A valid command line."""

    options: argparse.Namespace
    models: Mapping[str, Word2VecConfig]
    """Options of the baselines to train, by the names of their tables."""


def read_arguments(arguments: Sequence[str]) -> ParsedArguments:
    """Parse a command line.

    Raises:
      UserError: a file or folder is not there, or a model's option is wrong.
      SystemExit: anything else is wrong; argparse has printed what.
    """
    parser = _parser()
    rest, overrides = split_overrides(arguments)
    options = parser.parse_args(rest)
    if not any(getattr(options, action) for action in ACTIONS):
        parser.error(f"nothing is asked; give {', '.join(f'--{one}' for one in ACTIONS)}.")
    if options.binary and options.export is None:
        parser.error("--binary says how --export writes; give that.")
    if options.csv is not None and not options.judge:
        parser.error("--csv writes what --judge finds after each pass; give that.")
    _check_paths(options)
    models = compose_models(overrides) if overrides else {}
    if options.table == NONE and not models:
        parser.error("--table none leaves nothing to look at without +vectors=NAME.")
    if models and not any(path.is_dir() for path in options.where):
        raise UserError("+vectors trains on a trial's text; name a trial's folder, too.")
    if options.checkpoint is not None and not any(path.is_dir() for path in options.where):
        raise UserError("--checkpoint is of a trial; name a trial's folder, too.")
    return ParsedArguments(options, models)


def _check_paths(options: argparse.Namespace) -> None:
    for path in options.where:
        if not path.exists():
            raise UserError(f"there is no {path}; name a trial's folder or a file of vectors.")
    for path in (options.export, options.page, options.csv):
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"there is no folder {path.parent} for {path}; make it.")
    if options.export is not None and not file_suffix(options.export):
        raise UserError(f"--export {options.export} does not say how by its name: {_FORMATS}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lm.vectors",
        description="The word vectors of trained models, and what they know.",
        epilog=_BESIDE,
    )
    _add_tables(parser)
    _add_actions(parser)
    add_version(parser)
    return parser


def _add_tables(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "where",
        type=Path,
        nargs="+",
        metavar="WHERE",
        help=f"a trial's folder, outputs/SWEEP/TRIAL, or a file of vectors: {_FORMATS}",
    )
    add(
        "--table",
        choices=(*TABLE_CHOICES, NONE),
        default="both",
        help="of a trial: the vectors that the recurrence reads, those that the softmax compares "
        "its features with, both (default), or none beside those of +vectors",
    )
    add_location(parser)
    add_checkpoint(parser)
    add("--words", type=positive_int, metavar="N", help="take the N most frequent words alone")


def _add_actions(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--similar", nargs="+", default=[], metavar="WORD", help="show the words nearest to each")
    add(
        "--analogy",
        nargs="+",
        action=_Analogies,
        default=[],
        metavar="A:B:C",
        help="show the words that are to C as B is to A",
    )
    add(
        "--count",
        type=positive_int,
        default=5,
        metavar="N",
        help="words shown for each (default: 5)",
    )
    add(
        "--judge",
        action="store_true",
        help="compare with people's answers: SimLex-999, WordSim-353, Google's analogies",
    )
    add(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write --judge's scores of all words after each pass, as CSV",
    )
    add("--export", type=Path, metavar="FILE", help=f"write the vectors in {_FORMATS}")
    add("--binary", action="store_true", help="--export in the binary format, whatever the name")
    add("--page", type=Path, metavar="FILE", help="draw a map of the words (t-SNE) as HTML")


class _Analogies(argparse.Action):
    """Parses analogies given as A:B:C or A:B C."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        texts = iter(values)
        found = [*getattr(namespace, self.dest)]
        for text in texts:
            parts = text.split(":")
            if len(parts) == 2:
                parts += next(texts, "").split(":")
            if len(parts) != 3 or not all(parts):
                parser.error(f"argument --analogy: {text!r} is not A:B:C, as in had:has:was")
            found.append(tuple(parts))
        setattr(namespace, self.dest, found)
