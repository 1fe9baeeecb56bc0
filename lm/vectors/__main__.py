"""`python -m lm.vectors WHERE ...`: the word vectors of trained models, and what they know.

    python -m lm.vectors DIR --similar run mr holmes       # nearest words by cosine
    python -m lm.vectors DIR --analogy had:has:was         # had is to has as was is to ...
    python -m lm.vectors DIR OTHER vectors.bin --judge     # what people think of them
    python -m lm.vectors DIR --export vectors.txt          # for other tools
    python -m lm.vectors DIR --page words.html             # a map of the most frequent words

WHERE is a trial's folder, or a file of vectors. Nothing in the folder is changed. JAX and gensim
are imported only once the command line is known to be sound.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sweeps.command import exit_on_user_error
from sweeps.errors import UserError
from sweeps.table import line

if TYPE_CHECKING:
    from lm.vectors.tables import WordVectors

ACTIONS = ("similar", "analogy", "judge", "export", "page")
SUFFIXES = "word2vec's text (.txt, .vec) or binary (.bin) format, or gensim's own (.kv)"
MAPPED = 2048
"""Words of a page, unless told otherwise."""


@exit_on_user_error()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; None: with this process's arguments."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not any(getattr(options, action) for action in ACTIONS):
        parser.error(f"nothing is asked; give {', '.join(f'--{one}' for one in ACTIONS)}.")
    if options.binary and options.export is None:
        parser.error("--binary says how --export writes; give that.")
    _check(options)

    from lm.vectors.nearest import analogy, like
    from lm.vectors.show import show_nearest

    tables = _tables(options.where, options.table, options.words)
    if options.export is not None:  # files first, for the terminal may be a pipe that closes early
        _export(options, tables)
    if options.page is not None:
        _page(options, tables)
    console = Console(soft_wrap=True)
    for one in tables:
        line(console, f"{one.name}: {len(one.words):,} words, {one.matrix.shape[1]} numbers each")
    queries = [like(word) for word in options.similar]
    queries += [analogy(*three) for three in options.analogy]
    if queries:
        show_nearest(console, tables, queries, options.count)
    if options.judge:
        _judge(console, tables)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lm.vectors",
        description="The word vectors of trained models, and what they know.",
    )
    add = parser.add_argument
    add(
        "where",
        type=Path,
        nargs="+",
        metavar="WHERE",
        help=f"a trial's folder, outputs/SWEEP/TRIAL, or a file of vectors: {SUFFIXES}",
    )
    add(
        "--table",
        choices=("embedding", "output", "both"),
        default="both",
        help="of a trial: the vectors that the recurrence reads, those that the softmax compares "
        "its features with, or both (default)",
    )
    add("--words", type=_whole, metavar="N", help="take the N most frequent words alone")
    add("--similar", nargs="+", default=[], metavar="WORD", help="show the words nearest to each")
    add(
        "--analogy",
        nargs="+",
        action=_Analogies,
        default=[],
        metavar="A:B:C",
        help="show the words that are to C as B is to A",
    )
    add("--count", type=_whole, default=5, metavar="N", help="words shown for each (default: 5)")
    add(
        "--judge",
        action="store_true",
        help="compare with people's answers: SimLex-999, WordSim-353, Google's analogies",
    )
    add("--export", type=Path, metavar="FILE", help=f"write the vectors in {SUFFIXES}")
    add("--binary", action="store_true", help="--export in the binary format, whatever the name")
    add("--page", type=Path, metavar="FILE", help="draw a map of the words (t-SNE) as HTML")
    return parser


class _Analogies(argparse.Action):
    """A:B:C, or A:B C."""

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


def _whole(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _check(options: argparse.Namespace) -> None:
    """Refuse before JAX is loaded what can be refused."""
    from lm.vectors.tables import kind

    for path in options.where:
        if not path.exists():
            raise UserError(f"there is no {path}; name a trial's folder or a file of vectors.")
    for path in (options.export, options.page):
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"there is no folder {path.parent} for {path}; make it.")
    if options.export is not None and not kind(options.export):
        raise UserError(f"--export {options.export} does not say how by its name: {SUFFIXES}.")


def _tables(where: Sequence[Path], table: str, words: int | None) -> "list[WordVectors]":
    """All tables, their names telling them apart."""
    from lm.vectors.tables import read

    names = Counter(path.name for path in where)
    found = []
    for path in where:
        for one in read(path, table):
            label = path.name if names[path.name] == 1 else str(path)
            name = f"{label}/{one.name}" if path.is_dir() and len(where) > 1 else one.name
            counts = one.counts if one.counts is None else one.counts[:words]
            found.append(type(one)(name, one.words[:words], counts, one.matrix[:words]))
    return found


def _export(options: argparse.Namespace, tables: "Sequence[WordVectors]") -> None:
    from lm.vectors.tables import kind, write

    if len(tables) > 1:
        names = ", ".join(one.name for one in tables)
        raise UserError(f"--export writes one table, and there are {names}; choose with --table.")
    write(options.export, tables[0], options.binary or kind(options.export) == ".bin")


def _page(options: argparse.Namespace, tables: "Sequence[WordVectors]") -> None:
    from lm.vectors.page import write_page

    write_page(options.page, tables, options.words or MAPPED)


def _judge(console: Console, tables: "Sequence[WordVectors]") -> None:
    from lm.vectors.judge import judge
    from lm.vectors.show import show_judgements

    console.print()
    show_judgements(console, [one.name for one in tables], [judge(one) for one in tables])


if __name__ == "__main__":
    main()
