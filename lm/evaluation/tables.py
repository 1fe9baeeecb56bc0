"""Tables of an evaluation, for the terminal."""

import math
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text as Plain

from lm.config import TrainConfig
from lm.data.vocabulary import UNKNOWN, Vocabulary, visible
from lm.data.windows import evaluation_window
from lm.evaluation.cache_grid import CacheGrid
from lm.evaluation.evaluate import Evaluation
from lm.evaluation.neural_cache import NeuralCache
from lm.evaluation.texts import EvaluationText
from lm.evaluation.token_scores import (
    TokenScores,
    WordSurprise,
    word_surprises,
    worst_in_total,
    worst_on_average,
)
from lm.training.heldout import perplexity
from lm.training.load import TrainedModel
from lm.training.state import count_parameters
from sweeps.io.console import make_table, print_line, print_table

MIN_OCCURRENCES = 5
"""Fewest occurrences of a word in the table of means; a mean of fewer says little."""


def show_evaluation(
    console: Console,
    trained: TrainedModel,
    train: TrainConfig,
    texts: Sequence[EvaluationText],
    found: Evaluation,
) -> None:
    """Show the model, how the texts were read, and their perplexities."""
    trial = trained.trial
    parameters = f"{count_parameters(trained.params):,} parameters"
    print_line(console, f"{trial.directory}: {trained.describe_checkpoint()}, {parameters}")
    print_line(console, _how_texts_are_read(train))
    if found.cache is not None and found.grid is not None:
        _show_cache(console, found.cache, found.grid)
    for text in texts:
        if text.unknown:
            share = (
                f"{text.unknown:,} of {len(text.ids):,} tokens ({text.unknown / len(text.ids):.1%})"
            )
            print_line(console, f"{text.name}: the vocabulary lacks {share}; read as {UNKNOWN}")
    print_line(console)
    print_table(console, _perplexities(found.texts, trained.config.data.level))


def show_worst(
    console: Console, vocabulary: Vocabulary, texts: Iterable[TokenScores], count: int
) -> None:
    """Show the words that are predicted worst, in all and on average."""
    for text in texts:
        found = word_surprises(text, vocabulary)
        all_of_it = sum(one.total for one in found)
        for heading, rows in (
            ("largest surprise in all", worst_in_total(found, count)),
            (
                f"largest surprise on average, of {MIN_OCCURRENCES} occurrences or more",
                worst_on_average(found, count, MIN_OCCURRENCES),
            ),
        ):
            print_line(console)
            print_line(console, f"{text.name}: {heading}", style="bold")
            print_table(console, _surprises(rows, all_of_it))


def _show_cache(console: Console, cache: NeuralCache, tried: CacheGrid) -> None:
    numbers = f"window {cache.window}, lambda {cache.share:g}, theta {cache.theta:g}"
    chosen = f", the best of {tried.size} on valid" if tried.size > 1 else ""
    print_line(console, f"cache: {numbers}{chosen}")
    if ends := tried.boundary_values(*cache):
        print_line(
            console, f"cache: {', '.join(ends)}: at the end of what was tried, so try beyond it"
        )


def _how_texts_are_read(train: TrainConfig) -> str:
    if train.predict == "last":
        return f"each word predicted from the {train.sequence_length} before it"
    streams, _ = evaluation_window(train)
    if streams == 1:
        return "each text read once from a zero state"
    return f"each text read in {streams} pieces, each from a zero state"


def _perplexities(texts: Sequence[TokenScores], level: str) -> Table:
    """A row for each text: words predicted, loss and perplexity, without and with the cache."""
    words, unit = ("characters", "bits/character") if level == "char" else ("words", "nats/word")
    heads = [unit, "perplexity"]
    if any(text.cached is not None for text in texts):
        heads += [f"{head} with cache" for head in heads]
    table = make_table("text", words, *heads)
    table.columns[0].justify = "left"
    for text in texts:
        cells = []
        for log_probs in (text.log_probs, text.cached):
            if log_probs is not None:
                loss = -float(log_probs.mean())
                each = loss / math.log(2) if level == "char" else loss
                cells += [f"{each:.5f}", f"{perplexity(loss):.3f}"]
        table.add_row(Plain(text.name), f"{len(text.ids):,}", *cells)
    return table


def _surprises(rows: Sequence[WordSurprise], all_of_it: float) -> Table:
    table = make_table("word", "occurrences", "nats in all", "share", "nats on average")
    table.columns[0].justify = "left"
    for one in rows:
        table.add_row(
            Plain(visible(one.word)),
            f"{one.occurrences:,}",
            f"{one.total:.1f}",
            f"{one.total / all_of_it:.2%}",
            f"{one.mean:.3f}",
        )
    return table
