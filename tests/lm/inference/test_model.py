"""A trained model as an object: as the commands, a model in NumPy, and the file on the disk say."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import lm
from lm.config import Config
from lm.evaluate import main as evaluate
from lm.evaluation.scoring import compile_reading
from lm.generate import main as generate
from lm.generation.generator import compile_decoding
from lm.train import train_single
from lm.training.load import load_trained
from lm.vectors.neighbors import index_vectors, nearest, similar_to
from lm.vectors.word_vectors import WordVectors
from sweeps.errors import UserError
from tests.lm.helpers.numpy_scoring import read_words
from tests.lm.helpers.training import write_in_lines

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]
WINDOW = 5
"""Words that the model of `windows` reads."""

JUMP = "{step:30,optimizer.learning_rate:5},{step:33,optimizer.learning_rate:0.2}"
WORSE = f"train.changes=[{JUMP}]"
"""The second epoch ends worse than the first."""

NEW = "Ba bi zorro du, ga\r\nbe bi Zorro ba du ga bo bi de ka ko\n"
"""A text with capitals, words that the model of `carried` lacks, and two kinds of line ends."""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, story: Path) -> Path:
    """The made-up text in lines, for this file's runs alone."""
    return write_in_lines(story.read_text(), tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, tiny: Compose, text: Path) -> Any:
    def train(*overrides: str) -> Path:
        root = tmp_path_factory.mktemp("outputs")
        values = tiny(f"data.files=[{text}]", f"output_dir={root}", *overrides)
        return train_single(values, overrides, Console(file=io.StringIO()))

    return train


@pytest.fixture(scope="module")
def carried(train: Any) -> Path:
    """An LSTM whose rarer words are <unk>; all its checkpoints are there."""
    keep = "sweep.keep_checkpoints=all"
    directory: Path = train("data.vocab_size=15", "model.layers=2", "model.cell=lstm", keep)
    return directory


@pytest.fixture(scope="module")
def windows(train: Any) -> Path:
    """A GRU that has been trained from a zero state before each window; there is no <unk>."""
    directory: Path = train("train.predict=last", "model.cell=gru", "seed=3", "train.epochs=1")
    return directory


@pytest.fixture(scope="module")
def characters(train: Any) -> Path:
    directory: Path = train("data.level=char", "train.epochs=1", "log.sample_prompt='ba\n'")
    return directory


@pytest.fixture(scope="module")
def tied(train: Any) -> Path:
    """A model with one table of word vectors."""
    sizes = ("model.embed_size=6", "model.rnn_size=6", "model.hidden_size=null")
    directory: Path = train("model.tie_weights=true", *sizes, "train.epochs=1")
    return directory


NAMES = ["carried", "windows", "characters"]
TEXTS = {
    "carried": NEW,
    "windows": "ba bi du ga\r\nbe bi ba du ga bo",
    "characters": "ba\r\nbi\rdu",
}


def steps(directory: Path) -> list[int]:
    """The steps of the checkpoints that are there."""
    names = (path.name for path in (directory / "checkpoints").iterdir())
    return sorted(int(name) for name in names if name.isdecimal())


def saved(directory: Path, step: int, begin: str = "state/params/") -> dict[str, np.ndarray]:
    """The arrays in a checkpoint's file whose paths begin so, by the rest of them."""
    with np.load(directory / "checkpoints" / str(step) / "state.npz") as arrays:
        names = [name for name in arrays if name.startswith(begin)]
        return {name.removeprefix(begin): arrays[name] for name in names}


def flat(params: Any, path: str = "") -> dict[str, np.ndarray]:
    """Parameters by their paths."""
    if not isinstance(params, dict):
        return {path: params}
    parts = (flat(params[key], f"{path}/{key}" if path else str(key)) for key in params)
    return {name: array for part in parts for name, array in part.items()}


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_the_command_to_the_digit(
    capsys: Capture, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    directory, given = request.getfixturevalue(name), TEXTS[name]
    file, table = tmp_path / "file.txt", tmp_path / "words.csv"
    file.write_bytes(given.encode())
    once = () if name == "windows" else ("--batch-size", "1")
    evaluate([str(directory), "--text", str(file), "--words", str(table), *once])
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    model = lm.load(directory)
    scored = model.score(given)
    assert [row["log_probability"] for row in rows] == [f"{x:.8g}" for x in scored.log_probs]
    assert [int(row["position"]) for row in rows] == [
        len(scored.context) + n for n in range(len(scored.tokens))
    ]
    read = ["<unk>" if token in scored.unknown else token for token in scored.tokens]
    assert [row["word"] for row in rows] == read
    shown = capsys.readouterr().out.split()[-1]
    assert f"{model.perplexity(given):.3f}" == f"{scored.perplexity:.3f}" == shown
    assert scored.log_probs.dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_scores_equal_float64_numpy_word_by_word(request: pytest.FixtureRequest, name: str) -> None:
    model = lm.load(request.getfixturevalue(name))
    scored = model.score(TEXTS[name])
    ids = model.vocabulary.encode([*scored.context, *scored.tokens]).tolist()
    cell = model.config.model.cell
    if name == "windows":
        parts = [ids[first : first + WINDOW + 1] for first in range(len(ids) - WINDOW)]
        expected = [read_words(model.params, cell, part)[0][-1] for part in parts]
    else:
        expected = read_words(model.params, cell, ids)[0].tolist()
    np.testing.assert_allclose(scored.log_probs, expected, atol=2e-6, rtol=2e-6)


def test_first_tokens_are_context_and_unknown_ones_are_named(carried: Path, windows: Path) -> None:
    scored = lm.load(carried).score(NEW)
    assert scored.context == ["ba"]
    assert scored.tokens[:5] == ["bi", "zorro", "du", ",", "ga"]
    known = load_trained(carried).vocabulary.words
    missing = [token for token in [*scored.context, *scored.tokens] if token not in known]
    assert {"zorro", ","} <= set(missing)
    assert scored.unknown == list(dict.fromkeys(missing))
    scored = lm.load(windows).score("ba bi du ga be bo")
    assert scored.context == ["ba", "bi", "du", "ga", "be"]
    assert scored.tokens == ["bo"]
    assert scored.unknown == []


def test_texts_of_many_lengths_share_few_programs(carried: Path) -> None:
    """A window is of 20 words, so these have 1 to 9 windows: programs for 1, 2, 4, 8 and 16."""
    model = lm.load(carried)
    read = compile_reading(load_trained(carried).functions)
    model.score("ba bi")
    begun = read._cache_size()  # type: ignore[attr-defined]
    for count in (3, 20, 21):
        model.score("ba " * count)
    assert read._cache_size() == begun  # type: ignore[attr-defined]
    whole = model.score("ba bi du " * 60).log_probs
    for count in range(22, 180, 17):
        alone = model.score(" ".join(("ba bi du " * 60).split()[:count])).log_probs
        np.testing.assert_allclose(alone, whole[: count - 1], atol=1e-6)
    assert read._cache_size() <= begun + 4  # type: ignore[attr-defined]


GENERATIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    ((), {}),
    (("--prompt", "ba be"), {"prompt": "ba be"}),
    (
        ("--words", "30", "--temperature", "1.3", "--top-k", "3", "--seed", "5", "--prompt", "du"),
        {"words": 30, "temperature": 1.3, "top_k": 3, "seed": 5, "prompt": "du"},
    ),
    (("--temperature", "0", "--words", "7"), {"temperature": 0, "words": 7}),
    (("--unknown", "--temperature", "2"), {"unknown": True, "temperature": 2.0}),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("arguments", "options"), GENERATIONS)
def test_texts_are_those_that_the_command_prints(
    capsys: Capture,
    request: pytest.FixtureRequest,
    name: str,
    arguments: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    directory = request.getfixturevalue(name)
    model = lm.load(directory)
    generate([str(directory), *arguments])
    assert model.generate(**options) + "\n" == capsys.readouterr().out
    generate([str(directory), *arguments, "--samples", "18"])
    texts = model.generate_samples(18, **options)
    assert "\n\n".join(texts) + "\n" == capsys.readouterr().out
    assert texts[0] == model.generate(**options)


def test_texts_share_a_compiled_program(carried: Path) -> None:
    model = lm.load(carried)
    decode = compile_decoding(load_trained(carried).functions).decode
    model.generate("ba", 3)
    begun = decode._cache_size()  # type: ignore[attr-defined]
    model.generate("ba be du", 40, temperature=0, seed=7)
    assert decode._cache_size() == begun  # type: ignore[attr-defined]


def test_unknown_words_of_a_prompt_are_warned_of_where_the_text_is_asked_for(
    carried: Path,
) -> None:
    model = lm.load(carried)
    for ask in (model.generate, lambda prompt: model.generate_samples(2, prompt)):
        with pytest.warns(UserWarning, match="'zorro'; read as <unk>") as caught:
            ask("ba zorro")
        assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("name", ["carried", "tied"])
def test_vectors_are_rows_of_the_tables(request: pytest.FixtureRequest, name: str) -> None:
    directory = request.getfixturevalue(name)
    model, trained = lm.load(directory), load_trained(directory)
    words = trained.vocabulary.words
    tables = {"embedding": model.vectors, "output": model.output_vectors}
    for table, vectors in tables.items():
        own = "embedding" if name == "tied" else table
        matrix = np.asarray(trained.params[own]["weight"])
        assert vectors.index_to_key == words
        np.testing.assert_array_equal([vectors[word] for word in words], matrix)
        expected = nearest(
            index_vectors(WordVectors(own, words, None, matrix)), similar_to("ba"), 3
        )
        found = vectors.most_similar("ba", topn=3)
        assert [word for word, _ in found] == [one.word for one in expected]
        assert [cosine for _, cosine in found] == pytest.approx([one.cosine for one in expected])
        assert vectors.get_vecattr("ba", "count") == trained.vocabulary.counts[words.index("ba")]


@pytest.mark.parametrize("name", ["carried", "windows", "tied"])
def test_parameters_are_those_in_the_file_and_cannot_be_changed(
    request: pytest.FixtureRequest, name: str
) -> None:
    directory = request.getfixturevalue(name)
    model = lm.load(directory, "last")
    on_disk = saved(directory, model.step)
    found = flat(model.params)
    assert found.keys() == on_disk.keys()
    for path, array in found.items():
        assert type(array) is np.ndarray
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, on_disk[path])
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_averaged_parameters_are_those_of_a_model_that_has_any(train: Any) -> None:
    directory = train("optimizer.average_patience=0", "train.epochs=4", WORSE)
    model = lm.load(directory, "last")
    averages = saved(directory, model.step, "state/average/mean/")
    found = flat(model.params)
    assert found.keys() == averages.keys()
    for path, array in found.items():
        np.testing.assert_array_equal(array, averages[path])
    assert (found["output/bias"] != saved(directory, model.step)["output/bias"]).any()


def test_the_checkpoint_is_the_one_that_is_asked_for(carried: Path) -> None:
    first, *_, last = steps(carried)
    early = lm.load(carried, first)
    assert (early.step, early.checkpoint) == (first, str(first))
    np.testing.assert_array_equal(
        early.params["output"]["bias"], saved(carried, first)["output/bias"]
    )
    newest = lm.load(carried, checkpoint="last")
    assert (newest.step, newest.checkpoint) == (last, "last")
    best = lm.load(carried, "best")
    assert best.checkpoint == lm.load(carried).checkpoint == "best"
    assert early.perplexity(NEW) != newest.perplexity(NEW)


def test_the_best_checkpoint_is_taken_unless_another_is_asked_for(train: Any) -> None:
    directory = train(WORSE)
    models = [lm.load(directory, choice) for choice in (None, "best", "last", 23)]  # type: ignore[arg-type]
    found = [(model.step, model.checkpoint) for model in models]
    assert found == [(23, "best"), (23, "best"), (46, "last"), (23, "23")]
    perplexities = [model.perplexity("ba be du ga") for model in models]
    assert len(set(perplexities)) == 2
    assert perplexities[0] == perplexities[1] == perplexities[3]


def test_it_says_in_a_line_what_it_is(carried: Path) -> None:
    model = lm.load(str(carried), "last")
    assert repr(model) == (
        f"<lm.Model {carried}: last checkpoint, step {model.step} of {model.step}; "
        f"2 layers of lstm, vocabulary of 15, "
        f"{sum(array.size for array in flat(model.params).values()):,} parameters>"
    )
    assert isinstance(model.config, Config)
    assert model.config.model.layers == 2
    assert len(model.vocabulary) == 15
    assert isinstance(model, lm.Model)
    assert isinstance(model.score("ba bi"), lm.ScoredText)


def test_nothing_in_the_folder_is_changed_and_its_text_is_not_needed(
    characters: Path, windows: Path, text: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in windows.rglob("*")}
    text.rename(text.with_suffix(".away"))
    try:
        model = lm.load(windows)
        assert model.perplexity("ba bi du ga be bo") > 1
        assert model.generate("ba", 4).startswith("ba ")
        with pytest.raises(UserError, match=r"has no words of its own .*; give a prompt\."):
            model.generate()
        assert lm.load(characters).generate(words=4).startswith("ba\n")
    finally:
        text.with_suffix(".away").rename(text)
    assert {path: path.stat().st_mtime_ns for path in windows.rglob("*")} == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "the text has 0 tokens, and 2 are needed to predict one; give more text."),
        (" \n", "the text has 0 tokens"),
        ("ba", "the text has 1 token, and 2 are needed to predict one; give more text."),
    ],
)
def test_text_with_nothing_to_predict_is_refused(carried: Path, given: str, message: str) -> None:
    model = lm.load(carried)
    for ask in (model.score, model.perplexity):
        with pytest.raises(UserError, match=f"^{re.escape(message)}"):
            ask(given)


def test_text_that_the_model_cannot_read_is_refused(windows: Path) -> None:
    model = lm.load(windows)
    with pytest.raises(UserError, match="the text has 5 tokens, and 6 are needed"):
        model.score("ba bi du ga be")
    with pytest.raises(UserError, match="has 1 token that is not in the vocabulary, such as 'x'"):
        model.score("ba bi du ga be x")
    with pytest.raises(TypeError, match="a text is a string"):
        model.score(Path("text.txt"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "zorro"}, "prompt='zorro': the vocabulary does not have 'zorro'"),
        ({"prompt": ""}, "prompt='' has no words in it"),
        ({"words": 0}, "words=0; give a whole number of at least 1."),
        ({"words": 2.5}, "words=2.5; give a whole number of at least 1."),
        ({"samples": -1}, "samples=-1; give a whole number of at least 1."),
        ({"samples": True}, "samples=True; give a whole number of at least 1."),
        ({"top_k": 0}, "top_k=0; give a whole number of at least 1."),
        ({"seed": -1}, "seed=-1; give a whole number of at least 0."),
        ({"temperature": -0.5}, "temperature=-0.5; give a number of at least 0."),
        ({"temperature": float("nan")}, "temperature=nan; give a number of at least 0."),
    ],
)
def test_options_that_make_no_sense_are_refused(
    carried: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        lm.load(carried).generate_samples(**({"samples": 1} | options))


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("first", "checkpoint='first' is no checkpoint; give 'best', 'last' or a step."),
        (-1, "checkpoint=-1 is no checkpoint"),
        (True, "checkpoint=True is no checkpoint"),
        (7, "has no checkpoint of step 7; there are those of steps"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_refused(
    carried: Path, checkpoint: Any, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        lm.load(carried, checkpoint)


def test_a_folder_without_a_model_is_refused(carried: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        lm.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match=f"holds no trial; .*{carried.name}"):
        lm.load(carried.parent)


def test_importing_the_package_loads_nothing_until_it_is_used() -> None:
    program = (
        "import lm, sys; print(dir(lm), 'jax' in sys.modules); lm.load; print('jax' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert re.search(r"'Model', 'ScoredText', .*'load'\] False\nTrue", done.stdout)
    with pytest.raises(AttributeError, match="module 'lm' has no attribute 'lode'"):
        lm.lode  # noqa: B018
