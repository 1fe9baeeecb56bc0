"""Words that the questions ask about: a made-up table of vectors, and a made-up text."""

import random
from pathlib import Path

import numpy as np
from gensim.test.utils import datapath

from lm.vectors.word_vectors import WordVectors

PAIRS = {"simlex": "simlex999.txt", "wordsim": "wordsim353.tsv"}
ANALOGIES = "questions-words.txt"
SECTIONS = ("family", "gram2-opposite", "gram7-past-tense")


def words_of_pairs() -> list[str]:
    """Words of both files of pairs, in their order, each once."""
    texts = [Path(datapath(name)).read_text() for name in PAIRS.values()]
    lines = [line for text in texts for line in text.splitlines()]
    rows = [line.split("\t")[:2] for line in lines if not line.startswith("#")]
    return list(dict.fromkeys(word for row in rows for word in row))


def words_of_analogies(section: str) -> list[str]:
    text = Path(datapath(ANALOGIES)).read_text().partition(f": {section}\n")[2]
    return list(dict.fromkeys(text.partition("\n:")[0].split()))


def made_up(seed: int = 0) -> WordVectors:
    """Most of the words, some in several cases and out of order, and vectors that know something.

    Half of the verbs and relatives lie so that analogies come true; some words share a vector.
    """
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    known = [word for word in words_of_pairs() if draw.random() < 0.8]
    shifts = {section: rng.normal(size=16) for section in SECTIONS}
    vectors = {word: rng.normal(size=16) for word in known}
    for section, shift in shifts.items():
        words = words_of_analogies(section)
        for word, other in zip(words[::2], words[1::2], strict=True):
            if draw.random() < 0.9:
                vectors.setdefault(word, rng.normal(size=16))
                noise = rng.normal(size=16) * draw.choice([0.1, 1.0])
                vectors[other] = vectors[word] + shift + noise
    for word in draw.sample(sorted(vectors), 60):
        vectors[word.upper()] = rng.normal(size=16)
        vectors[word.capitalize()] = vectors[word]
    words = sorted(vectors, key=lambda word: draw.random())
    matrix = np.array([vectors[word] for word in words], np.float32)
    return WordVectors("made up", words, list(range(len(words), 0, -1)), matrix)


def write_text(path: Path, words: int = 1200) -> Path:
    """Words about which there are questions of all kinds, in an order with much to learn."""
    draw = random.Random(0)
    pairs = words_of_pairs()
    types = [*pairs[:100], *pairs[-60:], "father", "mother", "king", "queen", "son", "daughter"]
    index, text = 0, []
    for _ in range(words):
        text.append(types[index].lower())
        index = (5 * index + draw.choice([1, 1, 4])) % len(types)
    path.write_text(" ".join([*text, *types]) + "\n")
    return path
