"""Prompts: cut as the corpus is, unknown words named."""

from collections.abc import Callable

import pytest

from lm.config import DataConfig
from lm.data.dataset import Dataset, load_dataset
from lm.data.vocabulary import Vocabulary
from lm.generation.prompt import choose_prompt, read_prompt, unknown_words_notice
from sweeps.errors import UserError

Options = Callable[..., DataConfig]
OPTION = "log.sample_prompt"


@pytest.fixture
def options() -> Options:
    def make(name: str = "text", level: str = "word") -> DataConfig:
        return DataConfig(name, None, [], level, None, 0.1, 0.1)

    return make


WORDS = Vocabulary(["the", "<unk>", "don't", ".", "N", "cat"], [9, 8, 7, 6, 5, 4])
CLOSED = Vocabulary(["the", "cat"], [2, 1])
"""It knows all words of its text, and so has no <unk>."""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("text", "The cat. Don\u2019t!", ["the", "cat", ".", "don't", "<unk>"]),
        ("ptb", "The N <unk> .", ["the", "N", "<unk>", "."]),
    ],
)
def test_prompt_is_cut_as_the_corpus_is(
    name: str, text: str, words: list[str], options: Options
) -> None:
    found = read_prompt(text, options(name), WORDS, OPTION)
    assert WORDS.decode(found.ids) == words


def test_characters_of_a_prompt_are_kept_as_they_stand(options: Options) -> None:
    letters = Vocabulary(["a", " ", "B", "\n"], [4, 3, 2, 1])
    found = read_prompt("a B\nA", options(level="char"), letters, OPTION)
    assert letters.decode(found.ids) == ["a", " ", "B", "\n", "a"]


def test_unknown_words_are_named(options: Options) -> None:
    found = read_prompt("the dog, the dog and the cat", options(), WORDS, OPTION)
    assert found.unknown == ["dog", ",", "and"]
    assert unknown_words_notice(found, OPTION) == (
        "log.sample_prompt: the vocabulary does not have 'dog', ',', 'and'; read as <unk>."
    )
    assert unknown_words_notice(read_prompt("the cat", options(), WORDS, OPTION), OPTION) is None


@pytest.mark.parametrize(
    ("text", "vocabulary", "message"),
    [
        ("dog mouse", WORDS, "does not have 'dog', 'mouse'"),
        ("the mouse", CLOSED, "does not have 'mouse'"),
        ("%", WORDS, "has no words in it"),
    ],
)
def test_prompt_that_cannot_be_read_is_refused(
    text: str, vocabulary: Vocabulary, message: str, options: Options
) -> None:
    with pytest.raises(UserError, match=message):
        read_prompt(text, options(), vocabulary, OPTION)


@pytest.mark.parametrize(("level", "start"), [("word", 8), ("char", 40)])
def test_no_prompt_takes_the_validation_text_s_first_words(level: str, start: int) -> None:
    config = DataConfig("lee", None, [], level, None, 0.1, 0.1)
    dataset: Dataset = load_dataset(config)
    found = choose_prompt(None, config, dataset, OPTION)
    assert found.ids.tolist() == dataset.valid[:start].tolist()
    assert choose_prompt("the", config, dataset, OPTION).ids.tolist() != found.ids.tolist()
