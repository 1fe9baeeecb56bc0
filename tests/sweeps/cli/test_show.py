"""`sweeps show`, `sweeps tag`, `sweeps reproduce`: one sweep, or one trial of it."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

import sweeps
from sweeps.cli import logs, reproduce, show, stop, tag
from sweeps.io.lock import locked
from sweeps.plan.reuse import reuse_trial
from sweeps.store import read_sweep, read_trial
from sweeps.store.result import correct_result
from sweeps.store.sweep import lock_path
from sweeps.store.trial import update_trial


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    show.main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], command: Any, *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        command.main([str(argument) for argument in arguments])
    assert end.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_sweep_is_shown_as_at_the_end_of_a_run(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    update_trial(read_sweep(grid).trials[0].directory, reproduce_command="python -m app.again")
    text = shown(capsys, grid)
    assert re.search(r"^ *1 +0.01 +a +0 +0.133333 +30 +finished", text, re.M)
    assert "best valid/loss over seed, finished trials:" in text
    assert "failed: RuntimeError: out of luck" in text
    assert "verify it:   python -m app.again" in text
    assert "go on:" not in text
    assert f"look at it:  sweeps board {grid}" in text


def test_sweep_that_is_not_through_says_how_to_go_on(
    make_sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {1: "finished", 2: "waiting"}
    folder = make_sweep([{"a": 1}, {"a": 2}], lambda s, step: 1.0, ends=lambda s: ends[s["a"]])
    assert "go on:" in shown(capsys, folder)
    with locked(lock_path(folder), ""):
        text = shown(capsys, folder)
    assert "A command runs this sweep now." in text
    assert "go on:" not in text


@pytest.mark.parametrize("way", ["folder", "name", "id", "digits"])
def test_trial_is_found_and_shown(grid: Path, capsys: pytest.CaptureFixture[str], way: str) -> None:
    trial = next(one for one in read_sweep(grid).trials if one.status == "failed")
    name = trial.directory.name
    key = name.rpartition("id=")[2]
    given = {"folder": trial.directory, "name": grid / name, "id": grid / key}
    text = shown(capsys, given.get(way, grid / key[:5]))
    for line in (
        name,
        "status: +failed, .* step 30 of 30",
        "error: +RuntimeError: out of luck",
        "settings: +rate=0.5",
        "best: +valid/loss 5.03333 at step 30",
        "last: +valid/loss 5.03333",
        "again alone: python -m app.train rate=0.5 kind=b seed=0",
        "error.txt  [0-9.]+ (kB|bytes)",
        f"folder: +{trial.directory}",
    ):
        assert re.search(f"(^| ){line}", text, re.M), line


@pytest.mark.parametrize("text", [".", "../grid", "..", "./"])
def test_folders_are_found_from_within(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    trial = read_sweep(grid).trials[0].directory
    (trial / "log.txt").write_text("said\n")
    monkeypatch.chdir(trial if text == ".." else grid)
    assert "best trial:" in shown(capsys, text)
    monkeypatch.chdir(trial)
    assert "status:      finished" in shown(capsys, ".")
    logs.main(["."])
    assert capsys.readouterr().out == "said\n"
    stop_error = refused(capsys, stop, "..", trial.name)
    assert f"no command runs the sweep in {grid}" in stop_error


def test_trial_of_a_killed_process_does_not_look_alive(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = read_sweep(grid).trials[0]
    correct_result(trial.directory, status="running")
    assert "running until its process was killed" in shown(capsys, trial.directory)
    with locked(trial.directory / ".lock", ""):
        assert "status:      running, " in shown(capsys, trial.directory)


def test_what_is_no_sweep_and_no_trial_is_refused(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist; name a sweep's folder, or a trial's" in refused(
        capsys, show, grid.parent / "nothing"
    )
    assert "holds no trial; name a sweep's folder, or a trial's, as" in refused(
        capsys, show, grid.parent
    )
    assert "has no trial zz; the ids of its 12 trials" in refused(capsys, show, grid / "zz")
    assert "trials of " in refused(capsys, show, grid / "id=")
    assert "is a URL" in refused(capsys, show, "s3://bucket/grid")


def test_tags_are_given_shown_and_taken_away(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "tags" not in sweeps.load(grid).trials
    trial = read_sweep(grid).trials[2].directory
    tag.main([str(trial), "paper", "good", "paper"])
    assert capsys.readouterr().out == f"{trial.name}: paper, good\n"
    assert read_trial(trial).tags == ("paper", "good")
    tag.main([str(trial)])
    assert "paper, good" in capsys.readouterr().out
    frame = sweeps.load(grid).trials.set_index("trial")
    assert frame.loc[trial.name, "tags"] == "paper,good"
    assert set(frame["tags"]) == {"", "paper,good"}
    assert "tags:        paper, good" in shown(capsys, trial)
    assert re.search("seconds +id +tags *\n", shown(capsys, grid))
    text = shown(capsys, grid, "--tag", "good")
    assert len(re.findall(r"^\d+ +0\.", text, re.M)) == 1
    assert "did you mean paper" in refused(capsys, show, grid, "--tag", "papers")
    assert "--tag chooses" in refused(capsys, show, trial, "--tag", "paper")
    tag.main([str(trial), "--remove", "paper", "good"])
    assert not (trial / "tags.json").exists()
    assert capsys.readouterr().out == f"{trial.name}: no tags\n"
    assert " tags" not in shown(capsys, grid)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a b"], "'a b' is no tag; use letters"),
        (["a,b"], "'a,b' is no tag; use letters"),
        (["--remove", "x"], "has no tag x; there are none"),
        (["--remove"], "--remove needs the tags"),
    ],
)
def test_word_that_is_no_tag_is_refused(
    grid: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    directory = read_sweep(grid).trials[0].directory
    assert sentence in refused(capsys, tag, directory, *arguments)
    assert not (directory / "tags.json").exists()


def test_tags_stay_with_their_trial(grid: Path, make_sweep: Any) -> None:
    """Training writes everything in a trial's folder but its tags; a copy has none."""
    trial = read_sweep(grid).trials[0]
    tag.main([str(trial.directory), "good"])
    other = make_sweep([], lambda s, step: 0.0, name="other")
    reuse_trial(trial, other / trial.directory.name, trial.settings)
    with sweeps.Run(trial.directory, metric="valid/loss", mode="min") as run:
        run.report(1, {"valid/loss": 1.0})
    assert read_trial(trial.directory).tags == ("good",)
    assert [one.tags for one in read_sweep(other).trials] == [()]


def test_local_copy_of_a_url_is_not_changed(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = grid.parent / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    (cache / "sweeps/s3_bucket").mkdir(parents=True)
    copy = grid.rename(cache / "sweeps/s3_bucket/grid")
    trial = read_sweep(copy).trials[0].directory
    assert "this machine's copy of results at a URL" in refused(capsys, tag, trial, "good")


def test_recorded_command_reproduces(
    grid: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    trial = read_sweep(grid).trials[0].directory
    assert "records no command that reproduces it" in refused(capfd, reproduce, trial)  # type: ignore[arg-type]
    update_trial(trial, reproduce_command="python -m 'my app' reproduce")
    ran: list[Any] = []
    monkeypatch.setattr("os.execvp", lambda program, words: ran.append((program, words)))
    reproduce.main([str(trial), "--cpus", "2", "-x", "more"])
    words = ["-m", "my app", "reproduce", str(trial), "--cpus", "2", "-x", "more"]
    assert ran == [(sys.executable, [sys.executable, *words])]
    printed = capfd.readouterr().out
    assert printed == f"python -m 'my app' reproduce {trial} --cpus 2 -x more\n"
    monkeypatch.undo()
    update_trial(trial, reproduce_command="no-such-program")
    assert "no-such-program cannot be run (No such file" in refused(capfd, reproduce, trial)  # type: ignore[arg-type]
