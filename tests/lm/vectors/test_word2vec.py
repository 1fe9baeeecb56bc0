"""Skip-gram and CBOW beside a trained model: on its text, of its size, and the same every time."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gensim.models
import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.test.utils import datapath
from rich.console import Console

from lm.config import CONFIG_DIR
from lm.data.dataset import load_dataset
from lm.data.vocabulary import build_vocabulary
from lm.train import train_single
from lm.training.load import TrainedModel, load_trained
from lm.vectors.__main__ import main
from lm.vectors.baselines import train_baselines
from lm.vectors.config import compose_models
from lm.vectors.word2vec import MAX_SENTENCE, split_evenly, train_word2vec
from lm.vectors.word_vectors import WordVectors, to_keyed_vectors
from tests.lm.conftest import Compose
from tests.lm.helpers.benchmark_words import PAIRS, write_text
from tests.lm.helpers.synonym_text import ALIKE, alike, digest, options
from tests.lm.helpers.training import history

NAMES = sorted(path.stem for path in CONFIG_DIR.glob("vectors/*.yaml"))
EVERY = ["+vectors=[skipgram,cbow,window]"]
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> TrainedModel:
    """A trial on a text that benchmark questions can be asked about."""
    root = tmp_path_factory.mktemp("word2vec")
    overrides = [
        f"data.files=[{write_text(root / 'text.txt')}]",
        "seed=3",
        "log.vector_scores=true",
    ]
    values = tiny(*overrides, f"output_dir={root}")
    return load_trained(train_single(values, overrides, Console(quiet=True)))


def beside(trained: TrainedModel, *overrides: str) -> list[WordVectors]:
    """Tables of models that are trained on the trial's text."""
    return train_baselines(QUIET, trained, [], compose_models(overrides), judged=False).tables


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models that gensim has built, each with the text that it was given as `text`."""
    models: list[Any] = []

    class Recorded(Word2Vec):
        def train(self, sentences: Any, **options: Any) -> Any:
            models.append(self)
            self.text = [word for sentence in sentences for word in sentence]
            self.trained_words = super().train(sentences, **options)
            return self.trained_words

    monkeypatch.setattr(gensim.models, "Word2Vec", Recorded)
    return models


def test_text_width_passes_and_seed_are_the_trials(trained: TrainedModel, built: list[Any]) -> None:
    tables = beside(trained, *EVERY)
    dataset = load_dataset(trained.config.data)
    tokens = dataset.vocabulary.decode(dataset.train)
    assert [table.name for table in tables] == ["skipgram", "cbow", "window"]
    for table, model in zip(tables, built, strict=True):
        assert model.text == tokens
        assert model.trained_words == (2 * len(tokens), 2 * len(tokens))  # none is left out
        assert (model.epochs, model.seed, table.matrix.shape[1]) == (2, 3, 5)
        assert table.words == dataset.vocabulary.words
        assert table.counts == dataset.vocabulary.counts


def test_width_passes_seed_and_window_can_be_chosen(
    trained: TrainedModel, built: list[Any]
) -> None:
    wide = ["+vectors@vectors.wide=skipgram", "vectors.wide.window=9", "vectors.wide.embed_size=11"]
    (table,) = beside(trained, *wide, "vectors.wide.epochs=4", "vectors.wide.seed=8")
    assert table.name == "wide"
    assert table.matrix.shape[1] == 11
    assert (built[0].sg, built[0].window, built[0].epochs, built[0].seed) == (1, 9, 4, 8)


def test_windows_study_model_sees_two_words_on_either_side(
    trained: TrainedModel, built: list[Any]
) -> None:
    beside(trained, "+vectors=window")
    model = built[0]
    assert (model.sg, model.window, model.shrink_windows, model.sample) == (0, 2, False, 0)
    assert (model.negative, model.ns_exponent) == (64, 1.0)


def test_long_text_is_read_whole_in_pieces_that_gensim_takes() -> None:
    words = [str(i) for i in range(3 * MAX_SENTENCE + 7)]
    for passes in (1, 75):
        pieces = split_evenly(words, passes)
        assert [word for piece in pieces for word in piece] == words
        assert max(map(len, pieces)) <= MAX_SENTENCE


def test_type_that_only_held_out_text_has_gets_no_vector() -> None:
    vocabulary = build_vocabulary(list("abcabcabd") * 20, ["z"])
    ids = vocabulary.encode(list("abcabcabd") * 20)
    table = train_word2vec("cbow", options("cbow"), vocabulary, ids)
    assert vocabulary.unk_id is not None
    assert table.words == list("abcd")
    assert table.matrix.shape == (4, 8)


@pytest.mark.parametrize("name", NAMES)
def test_words_that_stand_for_each_other_come_to_lie_together(name: str) -> None:
    found = to_keyed_vectors(alike(name))
    for one, other in ALIKE:
        assert found.most_similar(one, topn=1)[0][0] == other
        assert found.most_similar(other, topn=1)[0][0] == one


def test_vectors_are_the_same_in_every_process_and_others_for_another_seed() -> None:
    here = alike("skipgram")
    assert np.array_equal(here.matrix, alike("skipgram").matrix)
    assert not np.array_equal(here.matrix, alike("skipgram", seed=1).matrix)
    there = subprocess.run(
        [sys.executable, "-m", "tests.lm.helpers.synonym_text", "skipgram"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1234"},
        cwd=Path(__file__).parents[3],
    )
    assert there.stdout.strip() == digest(here)


def test_scores_after_each_pass_stand_beside_those_of_the_trial(
    trained: TrainedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = trained.trial.directory, tmp_path / "passes.csv"
    models = ["+vectors=[skipgram,cbow]", "vectors.cbow.epochs=3"]
    main([str(folder), "--judge", "--csv", str(file), *models])
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    passes = {"embedding": 2, "output": 2, "skipgram": 2, "cbow": 3}
    assert [(row["vectors"], int(row["epoch"])) for row in rows] == [
        (name, epoch + 1) for name, count in passes.items() for epoch in range(count)
    ]
    evaluated = [row for row in history(folder) if "vectors/simlex" in row]
    for row, recorded in zip(rows, evaluated, strict=False):
        assert float(row["simlex"]) == pytest.approx(recorded["vectors/simlex"], rel=1e-5)
    for table in beside(trained, *models):
        row = next(row for row in reversed(rows) if row["vectors"] == table.name)
        for kind, name in PAIRS.items():
            _, spearman, _ = to_keyed_vectors(table).evaluate_word_pairs(datapath(name))
            assert float(row[kind]) == pytest.approx(spearman.statistic, abs=1e-5)
    shown = capsys.readouterr().out
    _, *lines = shown.partition("SimLex-999 after each pass\n")[2].splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["1", "2", "3"]


def test_vectors_trained_beside_can_be_looked_up_and_exported_alone(
    trained: TrainedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = str(trained.trial.directory), tmp_path / "vectors.bin"
    main([folder, "+vectors=cbow", "--similar", "king", "--table", "none", "--export", str(file)])
    (table,) = beside(trained, "+vectors=cbow")
    near, cosine = to_keyed_vectors(table).most_similar("king", topn=1)[0]
    assert f"{near}  {cosine:.3f}" in capsys.readouterr().out
    assert np.array_equal(
        KeyedVectors.load_word2vec_format(file, binary=True).vectors, table.matrix
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--judge", "+vectors=glove"], "+vectors=glove is not known; choose of"),
        (["--judge", "vectors.cbow.window=8"], "Could not override 'vectors.cbow.window'"),
        (["--judge", "--table", "none"], "--table none leaves nothing"),
        (["--similar", "king", "--csv", "a.csv"], "give that"),
    ],
)
def test_wrong_request_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), *arguments])
    assert sentence in capsys.readouterr().err


def test_models_need_a_trial_for_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "vectors.txt"
    file.write_text("1 1\nking 1\n")
    with pytest.raises(SystemExit):
        main([str(file), "+vectors=cbow", "--judge"])
    assert capsys.readouterr().err == (
        "error: +vectors trains on a trial's text; name a trial's folder, too.\n"
    )
