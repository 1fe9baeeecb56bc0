"""`python -m lm.vectors WHERE ...`: the word vectors of trained models, and what they know.

    python -m lm.vectors DIR --similar run mr holmes       # nearest words by cosine
    python -m lm.vectors DIR --analogy had:has:was         # had is to has as was is to ...
    python -m lm.vectors DIR OTHER vectors.bin --judge     # what people think of them
    python -m lm.vectors DIR --export vectors.txt          # for other tools
    python -m lm.vectors DIR --judge --checkpoint last     # not the best one; or a step
    python -m lm.vectors DIR --page words.html             # a map of the most frequent words
    python -m lm.vectors DIR --judge '+vectors=[skipgram,cbow]' vectors.cbow.window=8
                                                           # beside gensim's, on the same text

WHERE is a trial's folder, or a file of vectors. Nothing in the folder is changed. JAX and gensim
are imported only once the command line is known to be sound.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lm.data.location import TextLocation
from lm.vectors.arguments import read_arguments
from lm.vectors.config import Word2VecConfig
from sweeps.cli.exit import exit_on_user_error
from sweeps.errors import UserError
from sweeps.io.console import make_console, print_line

if TYPE_CHECKING:
    from lm.vectors.epoch_scores import EpochScores
    from lm.vectors.word_vectors import WordVectors

MAPPED = 2048
"""Words of a page by default."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: with this process's arguments."""
    options, models = read_arguments(sys.argv[1:] if arguments is None else arguments)
    console = make_console()
    tables, epoch_scores, checkpoints = _tables(console, options, models)
    if options.export is not None:  # files first, for the terminal may be a pipe that closes early
        _export(options, tables)
    if options.page is not None:
        _page(console, options, tables)
    if options.csv is not None:
        _csv(options.csv, epoch_scores)
    for line in checkpoints:
        print_line(console, line)
    for one in tables:
        print_line(
            console, f"{one.name}: {len(one.words):,} words, {one.matrix.shape[1]} numbers each"
        )
    for path in (options.export, options.page, options.csv):
        if path is not None:
            print_line(console, f"written: {path}")
    if options.similar or options.analogy:
        _nearest(console, options, tables)
    if options.judge:
        _judge(console, tables, epoch_scores)


def _tables(
    console: Console, options: argparse.Namespace, models: Mapping[str, Word2VecConfig]
) -> "tuple[list[WordVectors], list[EpochScores], list[str]]":
    """All tables, their names telling them apart, their scores after each pass, and a line for each
    trial that says which of its checkpoints they are of."""
    from lm.vectors.baselines import load_tables
    from lm.vectors.word_vectors import most_frequent

    where, words = options.where, options.words
    location = TextLocation(options.root, tuple(options.files))
    names = Counter(path.name for path in where)
    found: list[WordVectors] = []
    epoch_scores: list[EpochScores] = []
    checkpoints: list[str] = []
    for path in where:
        label = path.name if names[path.name] == 1 else str(path)
        prefix = f"{label}/" if path.is_dir() and len(where) > 1 else ""
        scored = load_tables(
            console, path, options.table, models, options.judge, location, options.checkpoint
        )
        found += [
            most_frequent(one, words)._replace(name=_legible(prefix + one.name))
            for one in scored.tables
        ]
        epoch_scores += [
            one._replace(vectors=_legible(prefix + one.vectors)) for one in scored.epoch_scores
        ]
        if scored.checkpoint is not None:
            checkpoints.append(_legible(f"{path}: {scored.checkpoint}"))
    return found, epoch_scores, checkpoints


def _legible(name: str) -> str:
    """A file's name for tables and pages; bytes of it that are not UTF-8 are replaced."""
    return name.encode(errors="replace").decode()


def _export(options: argparse.Namespace, tables: "Sequence[WordVectors]") -> None:
    from lm.vectors.word_vectors import file_suffix, save_vectors

    if len(tables) > 1:
        names = ", ".join(one.name for one in tables)
        raise UserError(f"--export writes one table, and there are {names}; choose with --table.")
    save_vectors(options.export, tables[0], options.binary or file_suffix(options.export) == ".bin")


def _page(console: Console, options: argparse.Namespace, tables: "Sequence[WordVectors]") -> None:
    from lm.vectors.word_map import write_map

    with console.status("placing the words, some 10 seconds a table"):  # shown on terminals alone
        write_map(options.page, tables, options.words or MAPPED)


def _csv(path: Path, epoch_scores: "Sequence[EpochScores]") -> None:
    from lm.config.validate import OPTION
    from lm.vectors.epoch_scores import write_epoch_scores

    if not epoch_scores:
        raise UserError(
            f"--csv has nothing to write: train with {OPTION}=true, or train others beside it with "
            "+vectors=NAME."
        )
    write_epoch_scores(path, epoch_scores)


def _nearest(
    console: Console, options: argparse.Namespace, tables: "Sequence[WordVectors]"
) -> None:
    from lm.vectors.neighbors import analogy, similar_to
    from lm.vectors.tables import show_nearest

    queries = [similar_to(word) for word in options.similar]
    queries += [analogy(*three) for three in options.analogy]
    show_nearest(console, tables, queries, options.count)


def _judge(
    console: Console, tables: "Sequence[WordVectors]", epoch_scores: "Sequence[EpochScores]"
) -> None:
    from lm.vectors.epoch_scores import show_epoch_scores
    from lm.vectors.scores import score_with_intervals
    from lm.vectors.tables import show_scores

    print_line(console)
    show_scores(
        console, [one.name for one in tables], [score_with_intervals(one) for one in tables]
    )
    if epoch_scores:
        show_epoch_scores(console, epoch_scores)


if __name__ == "__main__":
    main()
