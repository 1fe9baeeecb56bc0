"""The ranked table that a sweep ends with."""

import csv
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.analysis.comparison import compare_trials
from sweeps.analysis.results import print_results, write_results
from sweeps.cli.compare import headline
from sweeps.store.provenance import add_provenance
from sweeps.store.result import BestValue
from sweeps.store.status import TrialStatus
from sweeps.store.sweep import Sweep
from sweeps.store.trial import Trial

AXES = ("model.rnn_size", "optimizer")


def trial(name: str, status: str, loss: float | None = None, **more: Any) -> Trial:
    best = None if loss is None else BestValue(metric="valid/loss", value=loss, step=10)
    metrics = more.pop("metrics", {} if loss is None else {"valid/loss": loss + 1})
    settings = {"model.rnn_size": "64", "optimizer": name}
    return Trial(
        directory=Path(f"out/grid/{name}"),
        fingerprint=name,
        status=TrialStatus(status),
        settings=settings,
        train_command="python -m app",
        best=best,
        metrics=metrics,
        **more,
    )


SWEEP = Sweep(
    folder=Path("out/grid"),
    axes=AXES,
    metric="valid/loss",
    mode="min",
    trials=(
        trial("id=a", "failed", 0.1, error="ValueError: x"),
        trial("id=b", "interrupted"),
        trial("id=c", "finished", 3.0, seconds=12.34),
        trial("id=d", "diverged", 0.2, step=7),
        trial("id=e", "finished", 2.0),
        trial("id=f", "stopped", 5.0, error="by asha at step 3", stopped_by="asha"),
        trial("id=g", "finished"),
    ),
)


def ranks(sweep: Sweep) -> str:
    return "".join(one.trial.fingerprint[-1] for one in compare_trials(sweep).trials)


def test_status_ranks_before_the_metric() -> None:
    assert ranks(SWEEP) == "ecgfdba"


def test_maximised_metric_ranks_the_largest_first() -> None:
    assert ranks(replace(SWEEP, mode="max")) == "cegfdba"


def test_results_have_a_row_a_trial_and_a_column_a_setting(tmp_path: Path) -> None:
    write_results(tmp_path / "results.csv", compare_trials(SWEEP))
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(SWEEP.trials)
    assert rows[1] == {
        "trial": "id=c",
        "model.rnn_size": "64",
        "optimizer": "id=c",
        "status": "finished",
        "valid/loss": "4.0",
        "best/valid/loss": "3.0",
        "seconds": "12.3",
        "directory": "out/grid/id=c",
        "command": "python -m app",
    }
    assert rows[-2]["best/valid/loss"] == ""


def test_what_trials_record_of_compiling_has_columns_and_a_sum(tmp_path: Path) -> None:
    """Trials of one pack were compiled for once; a worker may have kept what it compiled."""
    known: dict[str, dict[str, Any]] = {
        "id=c": {"compile_seconds": 2.5, "compile_cache": "miss"},
        "id=d": {"compile_seconds": 1.5, "compile_cache": "hit", "pack": "id=d"},
        "id=e": {"compile_seconds": 1.5, "compile_cache": "hit", "pack": "id=d"},
        "id=f": {"compile_seconds": 0.0, "compile_cache": "kept"},
    }
    trials = [replace(one, directory=tmp_path / one.fingerprint) for one in SWEEP.trials]
    for name, facts in known.items():
        (tmp_path / name).mkdir()
        add_provenance(tmp_path / name, **facts)
    comparison = compare_trials(replace(SWEEP, trials=tuple(trials)))
    write_results(tmp_path / "results.csv", comparison)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {row["trial"]: row for row in csv.DictReader(file)}
    assert (rows["id=d"]["compile_seconds"], rows["id=d"]["compile_cache"]) == ("1.5", "hit")
    assert (rows["id=a"]["compile_seconds"], rows["id=a"]["compile_cache"]) == ("", "")
    text = StringIO()
    print_results(Console(file=text, width=100), comparison)
    total = "compiling:   4.0 s in 3 trials, 2 from the cache, 1 kept by their workers"
    assert total in text.getvalue().splitlines()


def test_terminal_shows_what_became_of_trials_and_how_to_go_on() -> None:
    text = StringIO()
    print_results(Console(file=text, width=100), compare_trials(SWEEP))
    lines = text.getvalue().splitlines()
    assert any("stopped by asha at step 3" in line for line in lines)
    assert any("diverged at step 7" in line for line in lines)
    assert "failed: ValueError: x (out/grid/id=a/error.txt)" in lines
    assert "again alone: python -m app" in lines
    assert "look at it:  tensorboard --logdir out/grid" in lines
    console = Console(file=text, width=100)
    print_results(console, compare_trials(SWEEP), board_command="python -m app.board")
    assert text.getvalue().endswith("\nlook at it:  python -m app.board out/grid\n")


def test_trials_that_failed_alike_are_told_of_once() -> None:
    errors = ["ValueError: x", "OSError: y", "ValueError: x", "ValueError: x"]
    trials = [trial(f"id={name}", "failed", error=one) for name, one in enumerate(errors)]
    lines = printed(replace(SWEEP, trials=tuple(trials))).splitlines()
    assert [line for line in lines if line.startswith("failed: ")] == [
        "failed: ValueError: x (out/grid/id=0/error.txt, and 2 more)",
        "failed: OSError: y (out/grid/id=1/error.txt)",
    ]


def printed(sweep: Sweep) -> str:
    text = StringIO()
    print_results(Console(file=text, width=100), compare_trials(sweep))
    return text.getvalue()


def test_no_trial_is_the_best_without_a_value_of_the_metric() -> None:
    tags = {"valid/perplexity": 3.0, "train/loss": 1.0}
    trials = tuple(trial(name, "finished", metrics=tags) for name in ("id=a", "id=b"))
    sweep = replace(SWEEP, metric="valid/perplxity", trials=trials)
    text = printed(sweep)
    assert "best trial" not in text
    assert "again alone" not in text
    told = "no trial reported valid/perplxity, so none is the best; did you mean valid/perplexity."
    assert f"no ranking:  {told}" in text.splitlines()
    assert told in headline(compare_trials(sweep))
    assert "first" not in headline(compare_trials(sweep))


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        ([trial("id=a", "finished"), trial("id=b", "finished", 2.0)], "id=b"),
        ([trial("id=a", "finished"), trial("id=b", "stopped", 2.0)], ""),
        ([trial("id=a", "failed"), trial("id=b", "finished", float("inf"))], "id=b"),
    ],
)
def test_best_of_a_mixture_has_a_value(trials: list[Trial], best: str) -> None:
    text = printed(replace(SWEEP, trials=tuple(trials)))
    assert ("best trial:" in text) == bool(best)
    assert "no ranking" not in text
    if best:
        assert f"best trial:  out/grid/{best}" in text.splitlines()


def test_means_over_replicates_are_left_out_without_a_value() -> None:
    def table(loss: float | None) -> str:
        trials = [
            replace(trial(f"id={seed}", "finished", loss), settings={"rate": "1", "seed": seed})
            for seed in "01"
        ]
        axes = ("rate", "seed")
        return printed(replace(SWEEP, axes=axes, replicate="seed", trials=tuple(trials)))

    assert "best valid/loss over seed" not in table(None)
    assert "best valid/loss over seed" in table(1.0)


def test_last_lines_of_the_log_of_a_failed_trial_are_shown(tmp_path: Path) -> None:
    for name in ("a", "f"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.txt").write_text("1\n2\n[3]\n4\n5\n6\n")
    trials = [replace(one, directory=tmp_path / one.directory.name[3:]) for one in SWEEP.trials]
    lines = printed(replace(SWEEP, trials=tuple(trials))).splitlines()
    at = lines.index("  | 2")
    assert lines[at : at + 5] == ["  | 2", "  | [3]", "  | 4", "  | 5", "  | 6"]
    assert lines[at - 1].endswith("a/error.txt)")
    assert sum("  | " in line for line in lines) == 5


@pytest.mark.parametrize(
    ("metrics", "told"),
    [
        ({}, "no trial has reported valid/loss yet"),
        ({"valid/loss": float("nan")}, "no trial has a value of valid/loss other than NaN"),
        ({"accuracy": 1.0}, "no trial reported valid/loss, so none is the best; there are acc"),
    ],
)
def test_why_none_is_the_best_is_told(metrics: dict[str, float], told: str) -> None:
    trials = (trial("id=a", "finished", metrics=metrics), trial("id=b", "interrupted"))
    assert compare_trials(replace(SWEEP, trials=trials)).unranked.startswith(told)


def test_interrupted_sweep_says_what_is_left_and_how_to_go_on() -> None:
    text = StringIO()
    more = (trial("id=h", "waiting"), trial("id=i", "running"))
    sweep = replace(SWEEP, trials=SWEEP.trials + more)
    print_results(Console(file=text, width=100), compare_trials(sweep), interrupted=True)
    lines = text.getvalue().splitlines()
    at = lines.index("go on:       the command of this sweep")
    assert lines[at + 1] == "             trains what is left: 2 interrupted, 1 not started"
    assert at < min(index for index, line in enumerate(lines) if line.startswith("results: "))
    assert any(re.search(r"not started +0.0 +h *$", line) for line in lines)
    text = StringIO()
    command = "python -m app rate=1,2"
    print_results(
        Console(file=text, width=100), compare_trials(sweep), interrupted=True, go_on=command
    )
    assert f"go on:       {command}" in text.getvalue().splitlines()


def test_terminal_gives_mean_and_deviation_of_replicates() -> None:
    trials = [
        replace(trial(f"id={size}{seed}", "finished", loss), settings={"size": size, "seed": seed})
        for size, losses in {"1": (1.0, 3.0), "2": (1.5, 1.5)}.items()
        for seed, loss in zip("01", losses, strict=True)
    ]
    sweep = replace(SWEEP, axes=("size", "seed"), replicate="seed", trials=tuple(trials))
    text = StringIO()
    print_results(Console(file=text, width=100), compare_trials(sweep))
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert ["2", "1.5", "0", "2", "of", "2"] in lines
    assert ["1", "2", "1.41", "2", "of", "2"] in lines
    assert lines.index(["2", "1.5", "0", "2", "of", "2"]) < lines.index(
        ["1", "2", "1.41", "2", "of", "2"]
    )


def test_trial_that_lost_patience_may_be_the_best() -> None:
    over = trial("id=p", "stopped", 1.0, stopped_by="patience", error="by train.patience=2")
    comparison = compare_trials(replace(SWEEP, trials=(*SWEEP.trials, over)))
    assert comparison.best_trial is not None
    assert comparison.best_trial.trial == over


@pytest.mark.parametrize(
    ("recorded", "files", "is_local", "told"),
    [
        ("deleted", [], True, "its checkpoints were not kept (sweep.keep_checkpoints=none)"),
        ("deleted", [], False, "its checkpoints were not kept (sweep.keep_checkpoints=none)"),
        ("saved", [], True, "its checkpoints were deleted from its folder since"),
        ("saved", [], False, ""),
        ("saved", ["checkpoints/best/state.npz"], True, ""),
        (None, [], True, ""),
    ],
)
def test_best_trial_without_weights_says_so(
    tmp_path: Path, recorded: str | None, files: list[str], is_local: bool, told: str
) -> None:
    best = replace(trial("id=e", "finished", 2.0), directory=tmp_path)
    if recorded:
        add_provenance(tmp_path, checkpoints=recorded)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    text = StringIO()
    comparison = compare_trials(replace(SWEEP, trials=(best,)))
    print_results(Console(file=text, width=200), comparison, is_local=is_local)
    lines = [line for line in text.getvalue().splitlines() if line.startswith("no weights:")]
    assert lines == ([f"no weights:  {told}"] if told else [])
