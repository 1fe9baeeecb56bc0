"""The command that evaluates a trained model: what it prints, writes and refuses."""

import csv
import io
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

import lm.training.state
from lm.data.dataset import load_dataset
from lm.evaluate import main
from lm.evaluation.cache_grid import CacheGrid
from lm.hooks.identity import identify
from lm.optim.lazy_rows import DenseRows
from lm.train import train_single
from lm.training.functions import build_functions
from lm.training.load import load_trained
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance
from sweeps.store.trial import TrialSpec, read_trial, write_trial
from tests.lm.helpers.training import killed_at, run

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, story: Path) -> Path:
    """The made-up text, for this file's runs alone; no sign of it is new at its end."""
    path = tmp_path_factory.mktemp("own") / "text.txt"
    path.write_text(story.read_text().strip())
    return path


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, tiny: Compose, text: Path) -> Any:
    def train(*overrides: str) -> Path:
        root = tmp_path_factory.mktemp("outputs")
        values = tiny(f"data.files=[{text}]", f"output_dir={root}", *overrides)
        return train_single(values, overrides, Console(file=io.StringIO()))

    return train


@pytest.fixture(scope="module")
def trained(train: Any) -> Path:
    """A run whose rarer words are <unk>."""
    directory: Path = train("data.vocab_size=15")
    return directory


@pytest.fixture(scope="module")
def characters(train: Any) -> Path:
    """One that knows all types, so that there is no <unk>."""
    level = ("data.level=char", "data.test_fraction=0", "train.eval_batch_size=1")
    directory: Path = train(*level, "train.epochs=1", "model.hidden_size=null", "model.dropout=0.3")
    return directory


@pytest.fixture(scope="module")
def windows(train: Any) -> Path:
    directory: Path = train("train.predict=last", "train.epochs=1", "model.cell=gru")
    return directory


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "trial"))


def shown(capsys: Capture, *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def table(text: str) -> dict[str, list[float]]:
    """Numbers of each row of the table of perplexities."""
    rows = text.partition("\n\n")[2].partition("\n\n")[0].splitlines()[1:]
    cells = [row.replace(",", "").split() for row in rows]
    return {name: [float(number) for number in numbers] for name, *numbers in cells}


def refused(capsys: Capture, *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("name", ["trained", "characters", "windows"])
def test_perplexities_that_a_run_reported_are_found_again(
    capsys: Capture, request: pytest.FixtureRequest, name: str
) -> None:
    directory = request.getfixturevalue(name)
    trial, found = read_trial(directory), table(shown(capsys, directory))
    assert set(found) == ({"valid"} if name == "characters" else {"valid", "test"})
    dataset = load_dataset(load_trained(directory).config.data)
    for split, (words, loss, perplexity) in found.items():
        assert words == len(getattr(dataset, split)) - (5 if name == "windows" else 1)
        nats = loss * math.log(2) if name == "characters" else loss
        assert nats == pytest.approx(trial.metrics[f"{split}/loss"], abs=2e-5)
        assert perplexity == pytest.approx(trial.metrics[f"{split}/perplexity"], rel=1e-4)


def test_words_are_written_and_the_worst_are_told(
    capsys: Capture, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "words.csv"
    options = ("--split", "valid,train", "--words", path, "--worst", 3, "--batch-size", 1)
    printed = shown(capsys, trained, *options)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    dataset = load_dataset(load_trained(trained).config.data)
    for split, (words, loss, _) in table(printed).items():
        own = [row for row in rows if row["text"] == split]
        ids = getattr(dataset, split)
        assert [row["word"] for row in own] == dataset.vocabulary.decode(ids[1:])
        assert [int(row["position"]) for row in own] == list(range(1, len(ids)))
        log_probs = [float(row["log_probability"]) for row in own]
        assert len(own) == words
        assert -np.mean(log_probs) == pytest.approx(loss, abs=1e-5)
        totals: Counter[str] = Counter()
        for row, log_prob in zip(own, log_probs, strict=True):
            totals[row["word"]] -= log_prob
        counts = Counter(row["word"] for row in own)
        means = {word: totals[word] / n for word, n in counts.items() if n >= 5}
        for heading, ranked in (("in all", dict(totals)), ("on average", means)):
            block = re.search(rf"{split}: largest surprise {heading}.*\n.*\n((?:\S.*\n)+)", printed)
            assert block
            listed = [line.split() for line in block[1].splitlines()]
            expected = sorted(ranked, key=ranked.__getitem__, reverse=True)[:3]
            assert [line[0] for line in listed] == expected
            assert [int(line[1]) for line in listed] == [counts[word] for word in expected]
            assert float(listed[0][2]) == pytest.approx(totals[expected[0]], abs=0.06)


def test_text_is_encoded_as_the_corpus_was_and_needs_it_no_more(
    capsys: Capture, trained: Path, text: Path, tmp_path: Path
) -> None:
    valid = table(shown(capsys, trained, "--split", "valid"))["valid"]
    dataset = load_dataset(load_trained(trained).config.data)
    words = text.read_text().split()
    first = len(dataset.train)
    piece = tmp_path / "piece.txt"
    piece.write_text(" ".join(words[first : first + len(dataset.valid)]).upper())
    text.rename(text.with_suffix(".away"))
    try:
        printed = shown(capsys, trained, "--text", piece)
    finally:
        text.with_suffix(".away").rename(text)
    assert table(printed)[str(piece)] == valid
    lacking = sum(
        word not in dataset.vocabulary.words for word in piece.read_text().lower().split()
    )
    assert f"the vocabulary lacks {lacking} of {len(dataset.valid)} tokens" in printed


def test_cache_found_on_valid_is_the_best_of_those_tried(capsys: Capture, trained: Path) -> None:
    lists = ("--cache-window", "2,30", "--cache-lambda", "0.02,0.2", "--cache-theta", "0,4")
    printed = shown(capsys, trained, "--split", "test,valid", *lists)
    found = re.search(r"cache: window (\d+), lambda (\S+), theta (\S+), the best of 8", printed)
    assert found
    assert "at the end of what was tried, so try beyond it" in printed
    best, alone = table(printed)["valid"], {}
    for window in ("2", "30"):
        for share in ("0.02", "0.2"):
            for theta in ("0", "4"):
                one = ("--cache-window", window, "--cache-lambda", share, "--cache-theta", theta)
                alone[window, share, theta] = table(shown(capsys, trained, *one))["valid"]
    lowest = min(alone, key=lambda numbers: alone[numbers][3])
    assert found.groups() == lowest
    assert alone[lowest] == best
    assert best[:3] == table(shown(capsys, trained))["valid"]


def test_search_names_the_numbers_at_an_end_of_what_was_tried() -> None:
    grid = CacheGrid([10, 100, 1000], [0.1], [0.0, 0.5, 1.0])
    assert grid.boundary_values(100, 0.1, 0.5) == []
    assert grid.boundary_values(100, 0.1, 0.0) == []  # there is nothing below
    assert grid.boundary_values(10, 0.1, 1.0) == ["window 10", "theta 1"]


def test_rows_that_lag_behind_in_a_checkpoint_are_brought_up_to_date(
    tiny: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a model whose rows are all updated at each step."""
    values = tiny("loss.kind=sampled_softmax", "loss.samples=4", "train.checkpoint_minutes=0")

    def interrupted(folder: Path) -> Any:
        write_trial(
            folder,
            TrialSpec(
                config=values,
                overrides=(),
                settings={},
                fingerprint=fingerprint(identify(values)),
                train_command="",
            ),
            Provenance({}, ""),
        )
        with suppress(KeyboardInterrupt):
            run(folder, values, killed_at(37))  # within the second epoch
        return load_trained(folder, choice="last")

    lagging = interrupted(tmp_path / "lagging")
    assert lagging.step == 30
    monkeypatch.setattr(lm.training.state, "row_updates", lambda loss, optimizer: DenseRows())
    build_functions.cache_clear()
    dense = interrupted(tmp_path / "dense")
    build_functions.cache_clear()
    for one, other in zip(
        jax.tree.leaves(lagging.params), jax.tree.leaves(dense.params), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("damaged", "taken"), [("46", "best"), ("best", "last")])
def test_damaged_checkpoint_is_passed_over_and_nothing_is_changed(
    capsys: Capture, copy: Path, damaged: str, taken: str
) -> None:
    state = copy / "checkpoints" / damaged / "state.npz"
    state.write_bytes(state.read_bytes()[:1000])
    (copy / "checkpoints" / "999.tmp").mkdir()
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    assert f"{taken} checkpoint, step 46 of 46" in shown(capsys, copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_bad_folder_is_one_sentence(capsys: Capture, copy: Path, tmp_path: Path) -> None:
    assert "there is no folder" in refused(capsys, tmp_path / "nowhere")
    told = refused(capsys, tmp_path)
    assert f"{tmp_path} holds no trial; name a trial's folder, as {copy}" in told
    for state in (copy / "checkpoints").glob("*/state.npz"):
        state.write_bytes(b"PK")
    assert "can be read" in refused(capsys, copy)
    shutil.rmtree(copy / "checkpoints")
    assert "is done, and its checkpoints were not kept; train" in refused(capsys, copy)
    (copy / "config.yaml").write_text("model: [")
    assert "config.yaml is missing or damaged" in refused(capsys, copy)


def test_changed_corpus_is_refused(capsys: Capture, trained: Path, text: Path) -> None:
    before = text.read_text()
    text.write_text(before.replace("ba", "bo", 1))
    try:
        assert "is not the one that it was trained on" in refused(capsys, trained)
    finally:
        text.write_text(before)


def test_bad_text_is_one_sentence(
    capsys: Capture, trained: Path, characters: Path, tmp_path: Path
) -> None:
    missing, short, other = (tmp_path / f"{name}.txt" for name in ("missing", "short", "other"))
    assert f"there is no file {missing}" in refused(capsys, trained, "--text", missing)
    short.write_text("ba\n")
    told = refused(capsys, trained, "--text", short)
    assert f"{short} has 1 token, and 2 are needed to predict one" in told
    other.write_text("ba xo xy")
    told = refused(capsys, characters, "--text", other)
    assert "has 3 tokens that are not in the vocabulary, such as 'x'" in told
    assert "has no test split" in refused(capsys, characters, "--split", "test")
    told = refused(capsys, trained, "--words", tmp_path / "nowhere" / "words.csv")
    assert "there is no folder" in told


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--cache-lambda", "1", "'1' is not a number from 0 to below 1"),
        ("--cache-theta", "0.1,nan", "'nan' is not a number of at least 0"),
        ("--cache-window", "0", "'0' is not a whole number of at least 1"),
        ("--split", "dev", "'dev' is no split"),
    ],
)
def test_bad_option_is_told(capsys: Capture, option: str, value: str, sentence: str) -> None:
    with pytest.raises(SystemExit):
        main(["folder", option, value])
    assert sentence in capsys.readouterr().err
