"""Skip-gram and CBOW on the text that a model was trained on: gensim's `Word2Vec`, to compare.

Tokens, types, width and number of epochs are the model's, unless `vectors.NAME` says otherwise. One
thread trains, since only that is repeatable; nothing depends on Python's hash seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lm.data.dataset import Dataset
from lm.data.vocabulary import Vocabulary
from lm.data.windows import steps_per_epoch
from lm.vectors.config import Word2VecConfig
from lm.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from lm.training.load import TrainedModel

MAX_SENTENCE = 10_000
"""Longest sentence in words; gensim leaves out the rest of a longer one, silently."""

MIN_STEPS = 10
"""Fewest sentences of all epochs together; the learning rate falls after each of them."""

OnEpoch = Callable[[int, WordVectors], None]
"""Takes the number of the epoch that ended, from 1, and its vectors, which will still change."""


def fill_defaults(
    config: Word2VecConfig, trained: "TrainedModel", dataset: Dataset
) -> Word2VecConfig:
    """Fill the options that are null from the trial."""
    model, train = trained.config.model, trained.config.train
    epochs = trained.step // steps_per_epoch(len(dataset.train), train)
    return replace(
        config,
        embed_size=model.embed_size if config.embed_size is None else config.embed_size,
        epochs=max(1, epochs) if config.epochs is None else config.epochs,
        seed=trained.config.seed if config.seed is None else config.seed,
    )


def train_word2vec(
    name: str,
    config: Word2VecConfig,
    vocabulary: Vocabulary,
    ids: NDArray[np.int32],
    on_epoch: OnEpoch | None = None,
) -> WordVectors:
    """Train word vectors on a text.

    Args:
      name: of the table.
      config: options without nulls, of `fill_defaults`.
      vocabulary: numbers the text; types that occur in the text are trained, in its order.
      ids: the text, [N].
      on_epoch: called at the end of each epoch.
    """
    from gensim.models import Word2Vec
    from gensim.models.callbacks import CallbackAny2Vec

    assert config.epochs is not None
    seen = occurring_words(vocabulary, ids)
    sentences = split_evenly(vocabulary.decode(ids), config.epochs)
    model = Word2Vec(**_gensim_arguments(config), batch_words=max(map(len, sentences)))
    model.build_vocab_from_freq(seen, corpus_count=len(sentences))

    def table() -> WordVectors:
        return WordVectors(
            name=name, words=list(seen), counts=list(seen.values()), matrix=model.wv.vectors
        )

    progress = CallbackAny2Vec()
    if on_epoch is not None:
        epochs = iter(range(1, config.epochs + 1))
        progress.on_epoch_end = lambda _: on_epoch(next(epochs), table())
    model.train(
        sentences, total_examples=len(sentences), epochs=config.epochs, callbacks=[progress]
    )
    return table()


def occurring_words(vocabulary: Vocabulary, ids: NDArray[np.int32]) -> dict[str, int]:
    """Types of a vocabulary that occur in a text, in its order, with their counts."""
    counts = np.bincount(ids, minlength=len(vocabulary))
    return {vocabulary.words[i]: int(counts[i]) for i in np.flatnonzero(counts)}


def split_evenly(words: Sequence[str], epochs: int) -> list[list[str]]:
    """Cut a text into pieces of even length, at most `MAX_SENTENCE` each.

    No window reaches over their ends.
    """
    count = max(-(-len(words) // MAX_SENTENCE), -(-MIN_STEPS // epochs))
    ends = [len(words) * i // count for i in range(count + 1)]
    return [list(words[begin:end]) for begin, end in pairwise(ends) if end > begin]


def _gensim_arguments(config: Word2VecConfig) -> dict[str, object]:
    """Arguments of gensim's `Word2Vec`."""
    return {
        "sg": int(config.algorithm == "skipgram"),
        "vector_size": config.embed_size,
        "window": config.window,
        "shrink_windows": config.shrink_windows,
        "cbow_mean": int(config.cbow_mean),
        "negative": config.negative,
        "ns_exponent": config.noise_exponent,
        "sample": config.sample,
        "alpha": config.learning_rate,
        "min_alpha": config.final_learning_rate,
        "seed": config.seed,
        "workers": 1,
        "min_count": 1,
        "sorted_vocab": 0,  # they are in order already; gensim turns around those of one count
    }
