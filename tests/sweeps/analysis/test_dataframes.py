"""Sweeps come into pandas whole."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sweeps
from sweeps.errors import UserError


def test_every_trial_is_a_row_with_typed_axes(grid: Path) -> None:
    trials = sweeps.load(grid).trials
    assert len(trials) == 12
    assert list(trials.columns[:5]) == ["trial", "status", "rate", "kind", "seed"]
    assert [str(trials[axis].dtype) for axis in ("rate", "seed")] == ["float64", "int64"]
    assert set(trials["kind"]) == {"a", "b"}
    best = trials.set_index("trial").query("rate == 0.01 and kind == 'a' and seed == 0").iloc[0]
    assert best["best/valid/loss"] == pytest.approx(0.1 + 1 / 30)
    assert (best["best/step"], best["step"], best["status"]) == (30, 30, "finished")
    assert best["train/loss"] == pytest.approx(best["valid/loss"] / 2)
    assert Path(best["directory"]).name == best.name
    assert best["command"] == "python -m app.train rate=0.01 kind=a seed=0"
    assert dict(trials["status"].value_counts()) == {"finished": 10, "failed": 1, "diverged": 1}


def test_every_value_is_a_row_and_nan_stays(grid: Path) -> None:
    metrics = sweeps.load(grid).metrics
    assert list(metrics) == ["trial", "step", "wall_time", "relative_time", "tag", "value"]
    assert len(metrics) == 12 * 3 * 2
    lost = metrics[metrics["value"].isna()]
    assert list(lost["step"]) == [30, 30]
    assert metrics.groupby("trial")["relative_time"].min().eq(0).all()


def test_infinite_values_stay(make_sweep: Any) -> None:
    folder = make_sweep([{"a": 1}], lambda setting, step: math.inf)
    frames = sweeps.load(folder)
    assert frames.metrics["value"].eq(math.inf).all()
    assert frames.trials["best/valid/loss"].eq(math.inf).all()


def test_trial_that_never_started_has_no_values(make_sweep: Any) -> None:
    folder = make_sweep([{"a": 1}], lambda setting, step: 1.0, ends=lambda setting: "waiting")
    frames = sweeps.load(folder)
    assert frames.trials[["status", "step"]].to_numpy().tolist() == [["waiting", 0]]
    assert frames.trials["best/valid/loss"].isna().all()
    assert frames.metrics.empty
    assert str(frames.metrics["value"].dtype) == "float64"


def test_filter_is_found_anywhere_and_ignores_case(grid: Path) -> None:
    assert len(sweeps.load(grid, filter="KIND=a,.*SEED=1").trials) == 3
    assert sweeps.load(grid, filter="^kind").trials.empty
    with pytest.raises(UserError, match=r"'\(' is not a regular expression"):
        sweeps.load(grid, filter="(")


def test_several_sweeps_stand_together(grid: Path, make_sweep: Any) -> None:
    other = make_sweep(
        [{"rate": 1, "size": 8}, {"rate": 2, "size": 8}],
        lambda setting, step: 1.0,
        name="other",
        common_config={"kind": "c"},
    )
    frames = sweeps.load(grid, other, other)
    assert dict(frames.trials["sweep"].value_counts()) == {"grid": 12, "other": 2}
    added = frames.trials[frames.trials["sweep"] == "other"]
    assert list(added["kind"]) == ["c", "c"]  # all its trials have it, though it was not swept
    assert pd.isna(added["seed"]).all()
    assert set(frames.metrics["sweep"]) == {"grid", "other"}
    assert len(sweeps.load(grid, other, filter="^other/rate=1,").trials) == 1


def test_missing_sweep_is_one_sentence(tmp_path: Path, grid: Path) -> None:
    with pytest.raises(UserError, match="none does not exist"):
        sweeps.load(tmp_path / "none")
    with pytest.raises(UserError, match="name those in it: grid"):
        sweeps.load(grid.parent)
    with pytest.raises(UserError, match="holds no sweep"):
        sweeps.load(next(grid.glob("rate*")))


def test_best_trial_has_its_settings_configuration_and_folder(grid: Path) -> None:
    best = sweeps.load(grid).best
    assert best is not None
    assert best.settings in ({"rate": "0.01", "kind": kind, "seed": "0"} for kind in "ab")
    assert best.name == best.directory.name
    assert best.directory.parent == grid
    assert (best.metric, best.value, best.step) == ("valid/loss", pytest.approx(0.1 + 1 / 30), 30)
    assert best.status == "finished"
    assert best.checkpoints == best.directory / "checkpoints"
    assert best.config["rate"] == 0.01
    (best.directory / "config.yaml").unlink()
    assert best.config["seed"] == 0  # read once
    unread = sweeps.load(grid).best
    assert unread is not None
    with pytest.raises(UserError, match=r"config.yaml is missing or damaged"):
        _ = unread.config


def test_best_trial_is_that_of_the_filter_and_of_all_sweeps(grid: Path, make_sweep: Any) -> None:
    best = sweeps.load(grid, filter="rate=0.1,.*seed=1").best
    assert best is not None
    assert (best.settings["rate"], best.settings["seed"]) == ("0.1", "1")
    other = make_sweep([{"rate": 7, "kind": "a"}], lambda s, step: 0.001, name="other")
    best = sweeps.load(grid, other).best
    assert best is not None
    assert best.name.startswith("other/rate=7,")


@pytest.mark.parametrize("status", ["waiting", "failed", "stopped"])
def test_without_a_finished_trial_there_is_no_best_one(make_sweep: Any, status: str) -> None:
    folder = make_sweep([{"a": 1}], lambda s, step: 1.0, ends=lambda setting: status)
    assert sweeps.load(folder).best is None


def test_notebook_shows_the_ranked_table(grid: Path, make_sweep: Any) -> None:
    text = sweeps.load(grid)._repr_html_()
    assert "<b>grid</b>: 12 trials (10 finished, 1 diverged, 1 failed)" in text
    assert "<th>best valid/loss</th><th>at step</th><th>status</th>" in text
    assert text.count("<tr>") == 11
    assert "and 2 more in <code>.trials</code>" in text
    first = re.findall(r"<tr>(.*?)</tr>", text)[1]
    assert re.findall(r"<td>(.*?)</td>", first) == ["0.01", "a", "0", "0.133333", "30", "finished"]
    assert repr(sweeps.load(grid)) == "Results(grid: 12 trials)"
    assert repr(sweeps.load(grid, filter="rate=0.5,kind=b,seed=1")) == "Results(grid: 1 trial)"
    odd = make_sweep([{"a": 1}], lambda s, step: 1.0, name="<b>", metric="<i>")
    assert "&lt;b&gt;" in sweeps.load(odd)._repr_html_()
    assert "<i>" not in sweeps.load(odd)._repr_html_()


def test_notebook_says_why_nothing_is_ranked(grid: Path, make_sweep: Any) -> None:
    empty = make_sweep([{"a": 1}], lambda s, step: 1.0, name="e", ends=lambda setting: "waiting")
    assert "no trial has reported valid/loss yet" in sweeps.load(empty)._repr_html_()
    assert "0 trials" in sweeps.load(grid, filter="nothing")._repr_html_()
    other = make_sweep([{"a": 1}], lambda s, step: 1.0, name="other", metric="accuracy")
    both = sweeps.load(grid, other)
    assert "are ranked by different metrics (valid/loss, accuracy)" in both._repr_html_()
    with pytest.raises(UserError, match="load each alone, or give a tag to plot_curves"):
        _ = both.best
    assert len(both.plot_curves("train/loss").data) == 13
