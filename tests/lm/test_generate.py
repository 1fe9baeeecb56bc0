"""The command that writes text: against a model in NumPy, the softmax and the tab Text."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import chi2
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

import lm.generation.generator
from lm.generate import main
from lm.generation.generator import compile_decoding
from lm.train import train_single
from lm.training.load import TrainedModel, load_trained
from tests.lm.helpers.numpy_scoring import read_words
from tests.lm.helpers.training import write_in_lines

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]
WINDOW = 5
"""Words that the model of `windows` reads."""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, story: Path) -> Path:
    """The made-up text in lines, for this file's runs alone."""
    return write_in_lines(story.read_text(), tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, tiny: Compose, text: Path) -> Any:
    def train(*overrides: str) -> Path:
        root = tmp_path_factory.mktemp("outputs")
        values = tiny(
            f"data.files=[{text}]", f"output_dir={root}", "log.sample_words=12", *overrides
        )
        return train_single(values, overrides, Console(file=io.StringIO()))

    return train


@pytest.fixture(scope="module")
def carried(train: Any) -> Path:
    """An LSTM whose rarer words are <unk>."""
    keep = "sweep.keep_checkpoints=all"
    directory: Path = train(
        "data.vocab_size=15", "model.layers=2", "log.sample_temperature=0.8", keep
    )
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


def written(capsys: Capture, *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def lines(directory: Path, tmp_path: Path, *arguments: object) -> list[dict[str, Any]]:
    """What --out FILE.jsonl has."""
    path = tmp_path / "texts.jsonl"
    main([str(argument) for argument in (directory, "--out", path, *arguments)])
    return [json.loads(line) for line in path.read_text().splitlines()]


def in_numpy(trained: TrainedModel, ids: list[int], prompt: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the words after the prompt: their log-probabilities [N], and all logits before each."""
    cell, log_probs, features = trained.config.model.cell, [], []
    last = trained.config.train.predict == "last"
    for end in range(prompt, len(ids)):
        begin = max(0, end - WINDOW) if last else 0
        found, seen = read_words(trained.params, cell, ids[begin : end + 1])
        log_probs.append(found[-1])
        features.append(seen[-1])
    output = {name: np.asarray(x, np.float64) for name, x in trained.params["output"].items()}
    return np.array(log_probs), np.array(features) @ output["weight"].T + output["bias"]


@pytest.mark.parametrize("name", ["carried", "windows", "characters"])
def test_without_options_it_writes_what_the_tab_text_shows(
    capsys: Capture, request: pytest.FixtureRequest, name: str
) -> None:
    directory = request.getfixturevalue(name)
    events = EventAccumulator(str(directory), size_guidance={"tensors": 0})
    events.Reload()
    shown = tensor_util.make_ndarray(events.Tensors("samples")[-1].tensor_proto).item().decode()
    plain = re.sub("</?strong>", "", shown).replace("<br>", "\n").replace("\u00a0", " ")
    assert written(capsys, directory, "--words", 12) == plain + "\n"


@pytest.mark.parametrize("name", ["carried", "windows"])
def test_temperature_zero_is_the_arg_max_of_a_model_in_numpy(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    trained = load_trained(request.getfixturevalue(name))
    arguments = ("--prompt", "ba bi du", "--temperature", 0, "--words", 20)
    (line,) = lines(trained.trial.directory, tmp_path, *arguments)
    ids = trained.vocabulary.encode(["ba", "bi", "du", *line["tokens"]]).tolist()
    log_probs, logits = in_numpy(trained, ids, prompt=3)
    if (unknown := trained.vocabulary.unk_id) is not None:
        logits[:, unknown] = -np.inf
    assert ids[3:] == logits.argmax(axis=1).tolist()
    assert line["log_probability"] == pytest.approx(log_probs.sum(), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "most", "temperature"),
    [((), None, 1.0), (("--top-k", 5), 5, 1.0), (("--temperature", 2, "--top-k", 9), 9, 2.0)],
)
def test_words_are_as_frequent_as_the_softmax_says(
    carried: Path, tmp_path: Path, options: tuple[object, ...], most: int | None, temperature: float
) -> None:
    """Chi-square at one in a thousand; words that may not be drawn are not."""
    count, trained = 2000, load_trained(carried)
    prompt = ["ba", "bi"]
    arguments = ("--prompt", " ".join(prompt), "--words", 1, "--samples", count, "--seed", 2)
    found = lines(carried, tmp_path, *arguments, *(options or ("--temperature", 1)))
    drawn = Counter(line["tokens"][0] for line in found)
    counts = np.array([drawn[word] for word in trained.vocabulary.words])
    _, ((*logits,),) = in_numpy(trained, trained.vocabulary.encode([*prompt, "ba"]).tolist(), 2)
    logits = np.array(logits)
    logits[trained.vocabulary.unk_id] = -np.inf
    if most is not None:
        logits[np.argsort(logits)[:-most]] = -np.inf
    shares = np.exp((logits - logits.max()) / temperature)
    shares /= shares.sum()
    likely = shares > 0
    assert counts[~likely].sum() == 0
    misses = ((counts - count * shares)[likely] ** 2 / (count * shares[likely])).sum()
    assert misses < chi2.ppf(0.999, likely.sum() - 1)


def test_a_text_is_the_same_among_few_and_among_many_short_or_long(
    carried: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = partial(lines, carried, tmp_path, "--prompt", "ba bi du ga", "--seed", 1)
    many = [line["tokens"] for line in ask("--samples", 37, "--words", 30)]
    assert len({tuple(tokens) for tokens in many}) == 37
    monkeypatch.setattr(
        lm.generation.generator, "WORDS_PER_CALL", 4
    )  # so that prompt and texts take several calls
    few = [line["tokens"] for line in ask("--samples", 18, "--words", 21)]
    assert few == [tokens[:21] for tokens in many[:18]]
    assert [line["tokens"] for line in ask("--words", 3)] == [many[0][:3]]


def test_all_requests_share_one_compiled_program(
    carried: Path, windows: Path, tmp_path: Path
) -> None:
    decoding = compile_decoding(load_trained(carried).functions)
    begun = decoding.decode._cache_size()  # type: ignore[attr-defined]
    for k, prompt in ((9, "ba"), (12, "ba bi du ga"), (14, "be")):
        lines(carried, tmp_path, "--prompt", prompt, "--top-k", k, "--words", k, "--seed", k)
    assert decoding.decode._cache_size() <= begun + 1  # type: ignore[attr-defined]


def test_unknown_is_drawn_only_where_it_is_allowed(carried: Path, tmp_path: Path) -> None:
    ask = partial(lines, carried, tmp_path, "--prompt", "ba", "--samples", 20, "--temperature", 1)
    assert not [line for line in ask() if "<unk>" in line["tokens"]]
    assert [line for line in ask("--unknown") if "<unk>" in line["tokens"]]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((), "best checkpoint, step 46 of 46"),
        (("--checkpoint", "best"), "best checkpoint, step 46 of 46"),
        (("--checkpoint", "last"), "last checkpoint, step 46 of 46"),
        (("--checkpoint", "23"), "checkpoint of step 23 of 46"),
    ],
)
def test_the_checkpoint_is_named_beside_the_text_that_a_pipe_gets(
    capsys: Capture, carried: Path, tmp_path: Path, asked: tuple[str, ...], words: str
) -> None:
    arguments = (str(carried), "--prompt", "ba", "--words", "40", *asked)
    main(list(arguments))
    out, err = capsys.readouterr()
    assert err == f"{carried}: {words}\n"
    assert len(out.split()) == 41
    main([*arguments, "--out", str(tmp_path / "texts.txt")])
    written, err = capsys.readouterr()
    assert err == f"{carried}: {words}\n"
    assert written.startswith(f"{tmp_path / 'texts.txt'}: 1 texts of 40 words")
    assert (tmp_path / "texts.txt").read_text() == out
    main([*arguments, "--checkpoint", "23"])
    assert (capsys.readouterr().out == out) == ("23" in asked)


def test_texts_are_written_a_line_each_that_holds_the_whole_text(
    capsys: Capture, characters: Path, tmp_path: Path
) -> None:
    arguments = ("--samples", 3, "--seed", 4, "--words", 60)
    told = lines(characters, tmp_path, *arguments)
    wholes = [line["prompt"] + line["text"] for line in told]
    assert all(line["prompt"] == "ba\n" and len(line["tokens"]) == 60 for line in told)
    assert ["".join(["ba\n", *line["tokens"]]) for line in told] == wholes
    path = tmp_path / "texts.txt"
    main([str(characters), "--out", str(path), *map(str, arguments)])
    assert "3 texts of 60 characters" in capsys.readouterr().out
    assert [line.replace("\\n", "\n") for line in path.read_text().splitlines()] == wholes
    assert written(capsys, characters, *arguments) == "\n\n".join(wholes) + "\n"


def test_unknown_words_of_a_prompt_are_named_and_a_file_is_read(
    capsys: Capture, carried: Path, tmp_path: Path
) -> None:
    (tmp_path / "prompt.txt").write_text("Ba, zorro ba\n")
    main([str(carried), "--prompt-file", str(tmp_path / "prompt.txt"), "--words", "5"])
    out, err = capsys.readouterr()
    assert "does not have ',', 'zorro'; read as <unk>" in err
    assert out.startswith("ba <unk> <unk> ba ")
    assert len(out.split()) == 9


def test_text_that_is_needed_and_missing_is_asked_for(
    capsys: Capture, carried: Path, text: Path
) -> None:
    text.rename(text.with_suffix(".away"))
    try:
        with pytest.raises(SystemExit):
            main([str(carried)])
        assert "give --prompt TEXT" in capsys.readouterr().err
        assert written(capsys, carried, "--prompt", "ba", "--words", 4).startswith("ba ")
    finally:
        text.with_suffix(".away").rename(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prompt", "zorro"), "the vocabulary does not have 'zorro'"),
        (("--prompt", "%%"), "has no words in it"),
        (("--prompt-file", "nowhere.txt"), "there is no file nowhere.txt"),
        (("--out", "nowhere/texts.txt"), "there is no folder nowhere"),
        (("--temperature", "-1"), "is not a number of at least 0"),
        (("--top-k", "0"), "is not a whole number of at least 1"),
        (("--seed", "-3"), "is not a whole number of at least 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    capsys: Capture, carried: Path, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(carried), *arguments])
    assert caught.value.code in (1, 2)
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert "Traceback" not in err
