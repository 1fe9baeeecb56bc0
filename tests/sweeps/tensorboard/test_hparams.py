"""TensorBoard's table of hyperparameters, computed by its own backend from trials' runs."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sweeps.plan.reuse import reuse_trial
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance
from sweeps.store.trial import TrialSpec, read_trial, write_trial
from sweeps.tensorboard.event_file import append_values
from sweeps.tensorboard.hparams import CONFIG, rewrite_hparams
from sweeps.tensorboard.protos import text_value
from sweeps.tracking import Diverged, Run
from sweeps.tune.outcome import Outcome, finalize_status

Make = Callable[..., Path]
Look = Callable[[Path], Any]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the folder of a trial, `grid/<name>`."""

    def make(
        name: str, settings: dict[str, str], text_axes: Sequence[str] = (), **config: Any
    ) -> Path:
        directory = tmp_path / "grid" / name
        sweep = {"metric": "loss", "replicate": "seed"}
        rates = {"optimizer": {"learning_rate": 0.1}, "model": {"kind": "a"}, "loss": {"kind": "b"}}
        spec = TrialSpec(
            config={**rates, "sweep": sweep, **config},
            overrides=(),
            settings=settings,
            fingerprint=fingerprint({"name": name}),
            train_command=f"python -m app.train name={name}",
            reproduce_command="python -m app.again",
            text_axes=text_axes,
        )
        write_trial(directory, spec, Provenance({}, ""))
        return directory

    return make


def train(directory: Path, *losses: float, end: BaseException | None = None) -> None:
    with suppress(RuntimeError, SystemExit), Run(directory, metric="loss", mode="min") as run:
        for step, loss in enumerate(losses):
            run.report(step, {"loss": loss})
        if end is not None:
            raise end


def statuses(board: Any) -> dict[str, str]:
    """Of each run, by its trial's name."""
    runs = [row["runs"] for row in board.rows().values()]
    return {run.rpartition("/")[2]: status for row in runs for run, status in row.items()}


def test_table_has_a_row_a_trial_typed_settings_and_the_best_value(
    tmp_path: Path, make: Make, look: Look
) -> None:
    train(make("a", {"optimizer.learning_rate": "0.01", "model.kind": "x"}), 3.0, 1.0, 2.0)
    train(make("b", {"optimizer.learning_rate": "1e-05", "fast": "true"}), 5.0)
    board = look(tmp_path)
    rows = board.rows()
    assert rows["grid/a"] == {
        "lr": 0.01,
        "model.kind": "x",
        "loss": 2.0,
        "best/loss": 1.0,
        "runs": {"grid/a": "success"},
    }
    assert (rows["grid/b"]["lr"], rows["grid/b"]["fast"]) == (1e-5, True)
    columns = board.settings()
    assert set(columns) == {"lr", "model.kind", "fast"}
    assert [name for name, info in columns.items() if info.differs] == ["lr"]
    assert columns["lr"].domain_interval.max_value == 0.01


def test_replicates_share_a_row_with_their_mean(tmp_path: Path, make: Make, look: Look) -> None:
    for seed, loss in enumerate((1.0, 3.0)):
        train(make(f"a{seed}", {"model.size": "4", "seed": str(seed)}), loss)
    train(make("b", {"model.size": "8", "seed": "0"}), 7.0)
    rows = look(tmp_path).rows()
    assert set(rows) == {"grid/size=4,", "grid/size=8,"}
    row = rows["grid/size=4,"]
    assert (row["size"], row["best/loss"], "seed" in row) == (4, 2.0, False)
    assert set(row["runs"]) == {"grid/a0", "grid/a1"}


def test_sweep_over_seeds_alone_has_a_row_a_seed(tmp_path: Path, make: Make, look: Look) -> None:
    for seed in range(2):
        train(make(f"a{seed}", {"seed": str(seed)}), 1.0)
    assert {row["seed"] for row in look(tmp_path).rows().values()} == {0, 1}


def test_trials_without_success_have_rows_too(tmp_path: Path, make: Make, look: Look) -> None:
    train(make("finished", {"x": "1"}), 1.0)
    train(make("stopped", {"x": "2"}), 1.0, end=SystemExit(0))
    train(make("diverged", {"x": "3"}), 1.0, end=Diverged(1))
    train(make("failed", {"x": "4"}), 1.0, end=RuntimeError("no"))
    train(make("at_once", {"x": "5"}), end=RuntimeError("no"))
    with Run(make("killed", {"x": "6"}), metric="loss", mode="min") as run:
        run.report(0, {"loss": 1.0})
        assert statuses(look(tmp_path))["killed"] == "unknown"
    board = look(tmp_path)
    assert {row["x"] for row in board.rows().values()} == set(range(1, 7))
    assert statuses(board) == {
        "finished": "success",
        "stopped": "success",
        "diverged": "failure",
        "failed": "failure",
        "at_once": "failure",
        "killed": "success",
    }


@pytest.mark.parametrize("before", [(), (1.0, 2.0)])
def test_trial_that_failed_and_then_succeeded_shows_success(
    tmp_path: Path, make: Make, before: tuple[float, ...], look: Look
) -> None:
    directory = make("a", {"x": "1"})
    train(directory, *before, end=RuntimeError("no"))
    assert statuses(look(tmp_path)) == {"a": "failure"}
    train(directory, 3.0, 4.0)
    board = look(tmp_path)
    assert statuses(board) == {"a": "success"}
    assert board.scalars("grid/a")["loss"] == [(0, 3.0), (1, 4.0)]
    assert len(board.texts("grid/a")["trial/config"]) == 1


def test_trial_whose_worker_died_shows_failure(tmp_path: Path, make: Make, look: Look) -> None:
    directory = make("a", {"x": "1"})
    finalize_status(read_trial(directory), Outcome(lost={"a": "its worker died"}, metric="loss"))
    assert statuses(look(tmp_path)) == {"a": "failure"}


def test_copied_trial_has_the_settings_of_its_new_sweep(
    tmp_path: Path, make: Make, look: Look
) -> None:
    directory = make("a", {"x": "1"})
    train(directory, 1.0, 2.0)
    reuse_trial(read_trial(directory), tmp_path / "other", {"x": "1", "y": "2"})
    row = look(tmp_path).rows()["other"]
    assert (row["x"], row["y"], row["loss"]) == (1, 2, 2.0)
    assert row["runs"] == {"other": "success"}


def test_run_tells_its_configuration_and_commands(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch, look: Look
) -> None:
    monkeypatch.chdir(tmp_path)
    train(make("a b", {"x": "1"}, hidden=[4, 5]), 1.0)
    [(_, text)] = look(tmp_path).texts("grid/a b")["trial/config"]
    assert "```sh\npython -m app.train name=a b\n```" in text
    assert "```sh\npython -m app.again 'grid/a b'\n```" in text
    assert "hidden:\n- 4\n- 5\n" in text
    assert "In the folder that it was started in" in text


@pytest.mark.parametrize("written", ["samples", "text/of a program", "an answer"])
def test_texts_of_a_program_come_before_its_configuration(written: str) -> None:
    """TensorBoard's Text tab sorts tags, each of which has a heading of its own."""
    assert sorted([CONFIG, written])[0] == written


def test_description_of_an_earlier_version_is_replaced(
    tmp_path: Path, make: Make, look: Look
) -> None:
    directory = make("a", {"x": "1"})
    train(directory, 1.0)
    append_values(directory, [text_value("config", "as it was once")])
    rewrite_hparams(directory)
    assert set(look(tmp_path).texts("grid/a")) == {CONFIG}


def test_option_with_labels_of_several_types_has_a_column_of_text_for_its_sweep(
    tmp_path: Path, make: Make, look: Look
) -> None:
    for label in ("0.1", "null"):
        train(make(f"mixed {label}", {"clip": label}, text_axes=["clip"]), 1.0)
    for label in ("0.01", "10"):
        train(make(label, {"clip": label}), 1.0)
    train(make("alone", {"clip": "inf"}), 1.0)
    board = look(tmp_path)
    columns, rows = board.settings(), board.rows()
    assert columns["clip"].domain_interval.max_value == 10
    shown = columns["clip as text"].domain_discrete
    assert set(shown) == {"0.1", "null", "inf"}
    assert sorted(row["clip as text"] for row in rows.values() if "clip" not in row) == [
        "0.1",
        "inf",
        "null",
    ]


def test_describing_a_damaged_run_leaves_its_damage_to_be_seen(
    tmp_path: Path, make: Make, look: Look
) -> None:
    directory = make("a", {"x": "1"})
    train(directory, 1.0, 2.0, 3.0)
    [path] = directory.glob("events*")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :])
    rewrite_hparams(directory)
    assert statuses(look(tmp_path)) == {"a": "success"}
    with Run(directory, metric="loss", mode="min") as run:
        run.resume_at(2)
    assert look(tmp_path).scalars("grid/a")["loss"] == [(0, 1.0), (1, 2.0), (2, 3.0)]
