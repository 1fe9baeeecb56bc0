"""Vectors of a made-up text in which some words stand for each other; imports little."""

import hashlib
import random
import sys
from dataclasses import replace
from typing import Any

from lm.data.vocabulary import build_vocabulary
from lm.vectors.config import Word2VecConfig, compose_models
from lm.vectors.word2vec import train_word2vec
from lm.vectors.word_vectors import WordVectors

ALIKE = (("tea", "coffee"), ("cats", "dogs"))


def options(name: str, **changes: Any) -> Word2VecConfig:
    """A model of `conf/vectors`, filled."""
    (config,) = compose_models([f"+vectors={name}"]).values()
    return replace(config, **{"embed_size": 8, "epochs": 15, "seed": 0, **changes})


def alike(name: str, **changes: Any) -> WordVectors:
    """The model's vectors; which of the words that are alike stands where is drawn."""
    draw = random.Random(1)
    words: list[str] = []
    for _ in range(1500):
        drink, animal = map(draw.choice, ALIKE)
        words += ["we", "drink", "hot", drink, "while", "those", animal, "sleep", "."]
    vocabulary = build_vocabulary(words, [])
    return train_word2vec(name, options(name, **changes), vocabulary, vocabulary.encode(words))


def digest(vectors: WordVectors) -> str:
    """A digest of the vectors' bits."""
    return hashlib.sha256(vectors.matrix.tobytes()).hexdigest()


if __name__ == "__main__":
    print(digest(alike(sys.argv[1])))
