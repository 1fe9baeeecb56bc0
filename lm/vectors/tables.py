"""Tables of word vectors, for the terminal: nearest words side by side, and benchmark scores."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from lm.data.vocabulary import visible
from lm.vectors.neighbors import IndexedVectors, Query, index_vectors, missing_words, nearest
from lm.vectors.scores import Score, VectorScores
from lm.vectors.word_vectors import WordVectors
from sweeps.errors import UserError
from sweeps.io.console import make_table, print_line, print_table

KIND_NAMES = ("SimLex-999", "WordSim-353", "analogies")
EXPLAINED = (
    "Pairs: Spearman's rank correlation of cosines and people's scores. Analogies: share of right "
    "answers. In brackets: 95% intervals. Asked: questions with all words in the vocabulary."
)


def show_nearest(
    console: Console, tables: Sequence[WordVectors], queries: Sequence[Query], count: int
) -> None:
    """Show the words nearest to each query: a table for each, a column for each table of vectors.

    Raises:
      UserError: no table of vectors has the words of any query.
    """
    lookups = [index_vectors(table) for table in tables]
    known = [
        query for query in queries if not all(missing_words(table, query) for table in lookups)
    ]
    if not known:
        first = ", ".join(
            dict.fromkeys(repr(w) for q in queries for w in missing_words(lookups[0], q))
        )
        raise UserError(f"the vocabulary does not have {first}; ask for words of the text.")
    for names, words in _unknown(lookups, queries):
        print_line(console, f"{names}: the vocabulary does not have {words}")
    for query in known:
        print_line(console)
        print_line(console, visible(query.text), style="bold")
        table = make_table(*(one.name for one in lookups))
        columns = [_column(one, query, count) for one in lookups]
        for row in zip(*columns, strict=True):
            table.add_row(*map(Text, row))
        print_table(console, table)


def show_scores(console: Console, names: Sequence[str], judgements: Sequence[VectorScores]) -> None:
    """Show a row for each kind of question and each section, a column for each table of vectors.

    The number of questions that the vocabulary allows stands before the first table that has it.
    """
    rows = [_rows(one) for one in judgements]
    heads: list[str] = []
    columns: list[list[str]] = []
    before: list[str] = []
    for name, scores in zip(names, rows, strict=True):
        asked = [f"{one.used:,} of {one.total:,}" for one in scores.values()]
        if asked != before:
            heads.append("asked")
            columns.append(asked)
        before = asked
        heads.append(name)
        columns.append([_cell(row, one) for row, one in scores.items()])
    table = make_table("", *heads)
    table.columns[0].justify = "left"
    for label, *cells in zip(rows[0], *columns, strict=True):
        if label in KIND_NAMES or any(scores[label].used for scores in rows):
            table.add_row(label, *cells)
    print_table(console, table)
    print_line(console, EXPLAINED)


def _rows(judgement: VectorScores) -> dict[str, Score]:
    scores = (judgement.simlex, judgement.wordsim, judgement.analogies)
    sections = {f"  {section}": score for section, score in judgement.sections.items()}
    return dict(zip(KIND_NAMES, scores, strict=True)) | sections


def _cell(row: str, one: Score) -> str:
    if math.isnan(one.score):
        return ""
    form = "{:.1%}" if row not in KIND_NAMES[:2] else "{:.3f}"
    text = form.format(one.score)
    if row not in KIND_NAMES or math.isnan(one.lower):
        return text
    return f"{text} [{form.format(one.lower)}, {form.format(one.upper)}]"


def _unknown(
    lookups: Sequence[IndexedVectors], queries: Sequence[Query]
) -> Iterator[tuple[str, str]]:
    """Names of tables that lack the same words, and these words."""
    lacks: dict[str, list[str]] = {}
    for table in lookups:
        unknown = dict.fromkeys(
            repr(word) for query in queries for word in missing_words(table, query)
        )
        if unknown:
            lacks.setdefault(", ".join(unknown), []).append(table.name)
    for words, names in lacks.items():
        yield ", ".join(names), words


def _column(table: IndexedVectors, query: Query, count: int) -> list[str]:
    found = [] if missing_words(table, query) else nearest(table, query, count)
    cells = [f"{visible(near.word)}  {near.cosine:.3f}" for near in found]
    return cells + [""] * (count - len(cells))
