import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.implementations.kneser_ney import Ids, KneserNey
from benchmarks.ngram import main, measure, perplexity, unigram
from lm.config import DataConfig
from lm.data.dataset import Dataset, load_dataset
from lm.data.vocabulary import build_vocabulary
from sweeps.errors import UserError

VOCAB_SIZE = 200


def zipfian(size: int, seed: int = 0) -> Ids:
    """Ids with a long tail, half of them decided by the one before; the last three never occur."""
    generator = np.random.default_rng(seed)
    ids = np.minimum(generator.zipf(1.4, size) - 1, VOCAB_SIZE - 4)
    for i in np.flatnonzero(generator.random(size - 1) < 0.5):
        ids[i + 1] = ids[i] * 2 % 50
    return ids.astype(np.int32)


def plain_kneser_ney(train: list[int]) -> Callable[[list[int], int], float]:
    """Chen and Goodman's recursion with dictionaries, one n-gram at a time."""
    counts: dict[int, Counter[tuple[int, ...]]]
    counts = {3: Counter(tuple(train[i : i + 3]) for i in range(len(train) - 2))}
    for length in (2, 1):
        counts[length] = Counter(gram[1:] for gram in counts[length + 1])

    def discount(n: Counter[int], count: int) -> float:
        i = min(count, 3)
        return i - (i + 1) * n[1] / (n[1] + 2 * n[2]) * n[i + 1] / n[i] if i else 0.0

    def probability(history: list[int], word: int, length: int = 3) -> float:
        if length == 0:
            return 1 / VOCAB_SIZE
        last = tuple(history[len(history) - length + 1 :])
        follow = {gram: n for gram, n in counts[length].items() if gram[:-1] == last}
        below = probability(history, word, length - 1)
        if not follow:
            return below
        n = Counter(counts[length].values())
        count = follow.get((*last, word), 0)
        left_over = sum(discount(n, c) for c in follow.values())
        return (count - discount(n, count) + left_over * below) / sum(follow.values())

    return probability


SEEN = zipfian(4000)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    "history",
    [
        SEEN[10:12],
        SEEN[-2:],
        np.array([199, 198]),
        np.array([199, int(SEEN[5])]),
        SEEN[:1],
        SEEN[:0],
    ],
    ids=["seen", "last", "unseen", "half seen", "one word", "none"],
)
def test_probabilities_sum_to_one_after_any_history(history: Ids, order: int) -> None:
    distribution = KneserNey(SEEN, VOCAB_SIZE, order).distribution(history)
    assert distribution.sum() == pytest.approx(1, abs=1e-12)
    assert distribution.min() > 0


def test_text_too_small_for_its_discounts_still_gives_a_distribution() -> None:
    model = KneserNey(np.array([0, 1, 0, 2, 1], np.int32), 4)
    for history in ([0, 1], [1, 0], [3, 3]):
        distribution = model.distribution(np.array(history))
        assert distribution.sum() == pytest.approx(1, abs=1e-12)
        assert distribution.min() > 0


def test_trigram_agrees_with_the_formula_written_with_dictionaries() -> None:
    plain = plain_kneser_ney(SEEN.tolist())
    held_out = zipfian(60, seed=1)
    ids = held_out.tolist()
    expected = [plain(ids[:i], ids[i]) for i in range(2, len(ids))]
    measured = KneserNey(SEEN, VOCAB_SIZE).probabilities(held_out)[2:]
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_each_token_is_predicted_from_its_true_history() -> None:
    model = KneserNey(SEEN, VOCAB_SIZE)
    held_out = zipfian(20, seed=2)
    expected = [model.distribution(held_out[:i])[word] for i, word in enumerate(held_out)]
    np.testing.assert_allclose(model.probabilities(held_out), expected, rtol=1e-12)


def test_uniform_probabilities_have_the_vocabulary_s_size_as_perplexity() -> None:
    assert perplexity(np.full(7, 1 / 50)) == pytest.approx(50)


def tokens(train: str, valid: str) -> Dataset:
    vocabulary = build_vocabulary(list(train), list(valid))
    train_ids, valid_ids = vocabulary.encode(list(train)), vocabulary.encode(list(valid))
    return Dataset(train_ids, valid_ids, train_ids[:0], vocabulary, digest="")


def test_unigram_is_the_training_frequency() -> None:
    assert unigram(tokens("aaab", "ab")).tolist() == [0.75, 0.25]


def test_unigram_counts_unseen_unknown_once() -> None:
    assert unigram(tokens("aaab", "z")).tolist() == [0.6, 0.2, 0.2]


def test_first_token_and_an_absent_test_split_are_left_out() -> None:
    text = tokens("aaab" * 50, "aab")
    (measured,) = measure(text)["unigram"]
    assert measured == pytest.approx(math.exp(-(math.log(0.75) + math.log(0.25)) / 2))


def test_trigram_on_ptb_agrees_with_the_literature(real_data: Callable[[str], str]) -> None:
    config = DataConfig(
        name="ptb",
        root=real_data("ptb"),
        files=[],
        level="word",
        vocab_size=None,
        valid_fraction=0.1,
        test_fraction=0.1,
    )
    # Mikolov 2012, "Statistical Language Models based on Neural Networks", table 4.1: KN3.
    assert measure(load_dataset(config))["Kneser-Ney trigram"][1] == pytest.approx(148.3, abs=1)


def test_command_prints_both_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the cat sat on the mat . the dog sat on the cat . " * 20)
    main(["data=text", f"data.files=[{path}]"])
    printed = capsys.readouterr().out
    assert "unigram" in printed
    assert "Kneser-Ney trigram" in printed


def test_unknown_override_is_refused() -> None:
    with pytest.raises(UserError, match="wrong"):
        main(["data.wrong=1"])
