"""N-gram baselines on the split and vocabulary of a recurrent model.

    python -m benchmarks.ngram data=sherlock data.root=DIR

prints the perplexity of the unigram model and of an interpolated modified Kneser-Ney trigram,
both estimated on the training split. Each token of a split is predicted from its true history,
except the split's first one, which has none and which the recurrent model does not predict either.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.harness.compose import compose_values
from benchmarks.implementations.kneser_ney import Floats, Ids, KneserNey
from lm.config import parse_config
from lm.data.dataset import Dataset, load_dataset
from sweeps.cli.exit import exit_on_user_error


def perplexity(probabilities: Floats) -> float:
    """Return exp of the mean negative log-likelihood per token."""
    return float(np.exp(-np.log(probabilities).mean()))


def unigram(dataset: Dataset) -> Floats:
    """Relative frequencies in the training split: float64[V].

    A type it never has (<unk>, where only held-out text needs it) counts as if seen once, so that
    all probabilities are above zero and sum to one.
    """
    counts = np.maximum(np.array(dataset.vocabulary.counts, np.float64), 1)
    frequencies: Floats = counts / counts.sum()
    return frequencies


def measure(dataset: Dataset) -> dict[str, list[float]]:
    """Perplexity on valid and, where there is one, test, by model."""
    frequencies = unigram(dataset)
    trigram = KneserNey(dataset.train, len(dataset.vocabulary), order=3)
    splits = _held_out(dataset).values()
    return {
        "unigram": [perplexity(frequencies[ids[1:]]) for ids in splits],
        "Kneser-Ney trigram": [perplexity(trigram.probabilities(ids)[1:]) for ids in splits],
    }


def main(overrides: Sequence[str]) -> None:
    """Print the table for the corpus that the overrides choose."""
    data = parse_config(compose_values(overrides)).data
    dataset = load_dataset(data)
    start = time.perf_counter()
    rows = measure(dataset)
    seconds = time.perf_counter() - start
    size = f"{len(dataset.train):,} training tokens, {len(dataset.vocabulary):,} types"
    caption = f"{size}, {seconds:.1f} s"
    splits = _held_out(dataset)
    table = Table(title=f"Perplexity on {data.name}", caption=caption)
    table.add_column("model")
    for name, ids in splits.items():
        unknown = float((ids == dataset.vocabulary.unk_id).mean())
        table.add_column(f"{name}\n{len(ids):,} tokens\n{unknown:.1%} <unk>", justify="right")
    for model, perplexities in rows.items():
        table.add_row(model, *(f"{value:.1f}" for value in perplexities))
    Console().print(table)


def _held_out(dataset: Dataset) -> dict[str, Ids]:
    splits = {"valid": dataset.valid, "test": dataset.test}
    return {name: ids for name, ids in splits.items() if len(ids) > 1}


if __name__ == "__main__":
    with exit_on_user_error():
        main(sys.argv[1:])
