"""What training reports of its word vectors, and what may rank a sweep."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.test.utils import datapath
from rich.console import Console

from lm.config import parse_config
from lm.config.validate import tags
from lm.hooks.identity import identify
from lm.train import train_single
from lm.training.load import load_trained
from lm.vectors.load import model_vectors
from lm.vectors.word_vectors import to_keyed_vectors
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint
from sweeps.store.trial import read_config
from tests.lm.helpers.benchmark_words import ANALOGIES, PAIRS, write_text
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
SCORED = "log.vector_scores=true"
SHARES = {"vectors/simlex_share", "vectors/wordsim_share", "vectors/analogies_share"}
RANKED = ("sweep.metric=vectors/simlex", "sweep.mode=max")


@pytest.fixture(scope="module")
def asked(tiny: Compose, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Overrides -> a tiny run on a text about which there are questions."""
    path = write_text(tmp_path_factory.mktemp("asked") / "text.txt")
    return lambda *overrides: tiny(f"data.files=[{path}]", *overrides)


@pytest.fixture(scope="module")
def scored(asked: Compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three epochs with scores."""
    overrides = (SCORED, "train.epochs=3", f"output_dir={tmp_path_factory.mktemp('scored')}")
    return train_single(asked(*overrides), overrides, Console(file=io.StringIO()))


def evaluations(folder: Path) -> list[dict[str, float]]:
    return [row for row in history(folder) if row.get("valid/loss", 0) > 0]


def test_scores_are_those_of_gensim_on_the_trained_tables(scored: Path) -> None:
    last = evaluations(scored)[-1]
    for table in model_vectors(load_trained(scored, choice="last"), "both"):
        prefix = "vectors/" if table.name == "embedding" else "vectors/output_"
        theirs = to_keyed_vectors(table)
        for kind, file in PAIRS.items():
            _, spearman, _ = theirs.evaluate_word_pairs(datapath(file))
            assert last[prefix + kind] == pytest.approx(spearman.statistic, abs=1e-6)
        share, _ = theirs.evaluate_word_analogies(datapath(ANALOGIES))
        assert last[f"{prefix}analogies"] == share


def test_every_evaluation_has_scores_and_the_first_one_shares(scored: Path) -> None:
    rows = evaluations(scored)
    assert len(rows) == 3
    for row in rows:
        assert not np.isnan([row[tag] for tag in tags(tied=False)]).any()
    shares = [{tag for tag in SHARES if not np.isnan(row.get(tag, np.nan))} for row in rows]
    assert shares == [SHARES, set(), set()]
    assert 0 < rows[0]["vectors/simlex_share"] < 1


def test_scores_change_no_bit_of_training_and_no_identity(
    tmp_path: Path, asked: Compose, scored: Path
) -> None:
    values = asked("train.epochs=3")
    run(tmp_path / "silent", values)
    for quiet, shown in zip(history(tmp_path / "silent"), history(scored), strict=True):
        assert quiet == {tag: shown[tag] for tag in quiet}
    keys = [fingerprint(identify(one)) for one in (values, asked("train.epochs=3", SCORED))]
    assert keys[0] == keys[1]


def test_resumed_run_reports_the_same_scores(tmp_path: Path, asked: Compose, scored: Path) -> None:
    values = asked(SCORED, "train.epochs=3")
    first = evaluations(scored)[0]["step"]
    later = next(int(row["step"]) for row in history(scored) if row["step"] > first)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, values, killed_at(later))
    run(tmp_path, values)
    assert_same(tmp_path, scored, values)


def test_lanes_of_a_pack_report_scores(tmp_path: Path, asked: Compose) -> None:
    trials = {str(seed): asked(SCORED, "train.epochs=1", f"seed={seed}") for seed in (0, 1)}
    train_pack(tmp_path, trials)
    rows = [evaluations(tmp_path / name)[-1] for name in trials]
    assert all(set(tags(tied=False)) | SHARES <= set(row) for row in rows)
    assert rows[0]["vectors/simlex"] != rows[1]["vectors/simlex"]


def test_tied_weights_are_one_table(tmp_path: Path, asked: Compose) -> None:
    tied = ("model.tie_weights=true", "model.embed_size=6", "model.hidden_size=6")
    values = asked(SCORED, "train.epochs=1", *tied)
    run(tmp_path, values)
    found = {tag for tag in evaluations(tmp_path)[-1] if tag.startswith("vectors/")}
    assert found == set(tags(tied=True)) | SHARES
    with pytest.raises(UserError, match=r"vectors/output_simlex is not reported.*vectors/simlex"):
        identify(asked(SCORED, *tied, "sweep.metric=vectors/output_simlex", "sweep.mode=max"))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ((SCORED, "data.level=char"), r"data\.level=char"),
        (RANKED, r"only with log\.vector_scores=true"),
        ((SCORED, RANKED[0]), r"sweep\.mode=max"),
        ((SCORED, "sweep.metric=vectors/simlex_share", RANKED[1]), "choose one of vectors/simlex,"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_training(
    asked: Compose, overrides: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        identify(asked(*overrides))


def test_a_text_of_which_nothing_can_be_asked_is_refused_before_training(
    tiny: Compose, asked: Compose
) -> None:
    identify(asked(SCORED, *RANKED))
    with pytest.raises(UserError, match=r"none of the questions \(simlex, wordsim, analogies\)"):
        identify(tiny(SCORED))
    with pytest.raises(UserError, match=r"none of the questions \(simlex\)"):
        identify(tiny(SCORED, *RANKED))


def test_a_folder_of_an_earlier_version_can_still_be_read(scored: Path) -> None:
    values: dict[str, Any] = read_config(scored)
    del values["log"]["vector_scores"]
    assert not parse_config(values).log.vector_scores
