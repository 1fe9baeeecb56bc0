"""The command that looks at word vectors: what it prints, writes and refuses."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lm.train import train_single
from lm.training.load import load_trained
from lm.vectors.__main__ import main
from lm.vectors.load import load_vectors, model_vectors
from lm.vectors.neighbors import index_vectors, nearest, similar_to
from lm.vectors.word_vectors import WordVectors, save_vectors
from tests.lm.helpers.benchmark_words import made_up

Compose = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    overrides = (f"output_dir={tmp_path_factory.mktemp('outputs')}", "train.epochs=1")
    return train_single(tiny(*overrides), overrides, Console(file=io.StringIO()))


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """A trial with a checkpoint after each of two epochs."""
    keep = "sweep.keep_checkpoints=all"
    overrides = (f"output_dir={tmp_path_factory.mktemp('outputs')}", keep)
    return train_single(tiny(*overrides), overrides, Console(file=io.StringIO()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Vectors about which there are questions."""
    path = tmp_path / "made_up.bin"
    save_vectors(path, made_up(), binary=True)
    return path


def shown(capsys: Capture, *arguments: object) -> str:
    main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refused(capsys: Capture, *arguments: object) -> str:
    with pytest.raises(SystemExit):
        main([str(argument) for argument in arguments])
    return capsys.readouterr().err


def test_nearest_words_stand_side_by_side(capsys: Capture, trained: Path, file: Path) -> None:
    printed = shown(capsys, trained, file, "--similar", "ba", "--count", "2")
    head, *rows = printed.partition("\nba\n")[2].splitlines()
    assert head.split() == [f"{trained.name}/embedding", f"{trained.name}/output", "made_up"]
    assert "made_up: the vocabulary does not have 'ba'" in printed
    tables = model_vectors(load_trained(trained), "both")
    found = [nearest(index_vectors(table), similar_to("ba"), 2) for table in tables]
    for place, row in enumerate(rows[:2]):
        expected = [(one[place].word, f"{one[place].cosine:.3f}") for one in found]
        assert row.split() == [cell for pair in expected for cell in pair]


def test_unknown_words_are_named_and_the_others_answered(capsys: Capture, trained: Path) -> None:
    printed = shown(capsys, trained, "--similar", "zzz", "ba", "--analogy", "ba:be:yyy")
    assert "embedding, output: the vocabulary does not have 'zzz', 'yyy'\n" in printed
    assert "\nba\n" in printed
    assert "\nzzz\n" not in printed
    assert "'zzz', 'yyy'" in refused(capsys, trained, "--similar", "zzz", "--analogy", "ba:be:yyy")


def test_analogies_are_read_with_colons_or_a_blank(capsys: Capture, file: Path) -> None:
    both = shown(capsys, file, "--analogy", "father:mother:king", "boy:girl", "son")
    assert "father : mother = king : ?" in both
    assert "boy : girl = son : ?" in both
    assert "'boy:girl' is not A:B:C" in refused(capsys, file, "--analogy", "boy:girl")
    assert "'a:b:c:d' is not A:B:C" in refused(capsys, file, "--analogy", "a:b:c:d")


def test_judgement_has_scores_intervals_and_the_share_of_questions(
    capsys: Capture, file: Path
) -> None:
    printed = shown(capsys, file, "--judge")
    rows = {line.strip().split("  ")[0]: line for line in printed.splitlines()}
    for name, total in (("SimLex-999", "999"), ("WordSim-353", "353"), ("analogies", "19,544")):
        assert f" of {total} " in rows[name]
        assert "[" in rows[name]
    assert "%" in rows["gram7-past-tense"]
    assert "capital-world" not in rows


def test_only_the_most_frequent_words_take_part(capsys: Capture, file: Path) -> None:
    words = made_up().words
    printed = shown(capsys, file, "--words", 100, "--similar", words[5], "--count", 99)
    found = printed.partition(f"\n{words[5]}\n")[2].split()[1::2]
    assert set(found) == set(words[:100]) - {words[5]}


def test_a_trials_table_is_exported(capsys: Capture, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "output.txt"
    shown(capsys, trained, "--table", "output", "--export", path)
    [table], [back] = model_vectors(load_trained(trained), "output"), load_vectors(path, "both")
    assert back.words == table.words
    np.testing.assert_array_equal(back.matrix, table.matrix)
    assert "choose with --table" in refused(capsys, trained, "--export", path)


@pytest.mark.parametrize(
    ("asked", "step", "words"),
    [
        ((), 46, "best checkpoint, step 46 of 46"),
        (("--checkpoint", "best"), 46, "best checkpoint, step 46 of 46"),
        (("--checkpoint", "last"), 46, "last checkpoint, step 46 of 46"),
        (("--checkpoint", "23"), 23, "checkpoint of step 23 of 46"),
    ],
)
def test_vectors_are_of_the_checkpoint_that_is_asked_for_and_named(
    capsys: Capture, two_epochs: Path, tmp_path: Path, asked: tuple[str, ...], step: int, words: str
) -> None:
    path = tmp_path / "embedding.bin"
    printed = shown(capsys, two_epochs, "--table", "embedding", "--export", path, *asked)
    assert printed.startswith(f"{two_epochs}: {words}\nembedding: 20 words")
    [table] = load_vectors(path, "both")
    with np.load(two_epochs / "checkpoints" / str(step) / "state.npz") as arrays:
        np.testing.assert_array_equal(table.matrix, arrays["state/params/embedding/weight"])


def test_word2vec_beside_a_checkpoint_trains_as_long_as_it_has(
    two_epochs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "scores.csv"
    arguments = (two_epochs, "--judge", "--csv", path, "+vectors=skipgram", "--checkpoint", 23)
    main([str(argument) for argument in arguments])
    assert {line.split(",")[1] for line in path.read_text().splitlines()[1:]} == {"1"}


def test_a_file_has_no_checkpoint(capsys: Capture, two_epochs: Path, file: Path) -> None:
    asked = ("--checkpoint", "last", "--similar", made_up().words[0])
    assert "--checkpoint is of a trial; name a trial's folder" in refused(capsys, file, *asked)
    assert f"{two_epochs}: last checkpoint" in shown(capsys, file, two_epochs, *asked)
    assert "has no checkpoint of step 7" in refused(capsys, two_epochs, "--judge", "--checkpoint=7")


def test_tables_of_folders_with_one_name_are_told_apart(
    capsys: Capture, trained: Path, tmp_path: Path
) -> None:
    other = tmp_path / trained.name
    other.symlink_to(trained)
    printed = shown(capsys, trained, other, "--table", "output", "--similar", "ba")
    assert f"{trained}/output: 20 words" in printed
    assert f"{other}/output: 20 words" in printed


def test_words_without_ink_are_made_visible(capsys: Capture, tmp_path: Path) -> None:
    table = WordVectors("x", ["a", "\n", " "], None, np.eye(3, dtype=np.float32) + 1)
    save_vectors(tmp_path / "x.kv", table, binary=False)
    assert r"\n  0.833" in shown(capsys, tmp_path / "x.kv", "--similar", "a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing is asked; give --similar, --analogy, --judge, --export, --page"),
        (["--binary", "--judge"], "--export"),
        (["--count", "0", "--judge"], "at least 1"),
        (["--export", "a.xyz"], "does not say how by its name"),
        (["--export", "missing/a.txt"], "there is no folder missing"),
    ],
)
def test_what_makes_no_sense_is_refused(
    capsys: Capture, tmp_path: Path, arguments: list[str], words: str
) -> None:
    assert words in refused(capsys, tmp_path, *arguments)


def test_a_place_without_vectors_is_named(capsys: Capture, tmp_path: Path) -> None:
    assert "there is no" in refused(capsys, tmp_path / "zzz", "--judge")
    assert "holds no trial" in refused(capsys, tmp_path, "--judge")
    (tmp_path / "a.npy").write_text("x")
    assert "no file of vectors by its name" in refused(capsys, tmp_path / "a.npy", "--judge")
