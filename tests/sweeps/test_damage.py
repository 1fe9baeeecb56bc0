"""Damaged files of a sweep: whatever stands in them, no command ends in a traceback.

A file may be cut, empty, garbage, or whole JSON of another shape than this version writes, as a
power cut, a full disk, a later version or a hand with an editor leave it.
"""

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from sweeps.analysis import dataframes
from sweeps.analysis.comparison import compare_sweeps
from sweeps.analysis.importance import axis_importance
from sweeps.cli.board import _sweeps
from sweeps.cli.compare import print_comparison
from sweeps.config import SweepConfig
from sweeps.errors import UserError
from sweeps.plan.planner import PlannedTrial
from sweeps.plan.reuse import reuse_trial, trained_in_other_sweeps
from sweeps.plan.sweep_folder import SweepFolder
from sweeps.report.data import page_data
from sweeps.reproduce.environment_diff import code_changes, machine_changes, package_changes
from sweeps.search import Axis
from sweeps.store import (
    Provenance,
    TrialSpec,
    fingerprint,
    read_config,
    read_sweep,
    read_trial,
    write_trial,
)
from sweeps.store.compile_times import read_compile_time, total_compile_time
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import read_provenance
from sweeps.store.sweep import Sweep, write_sweep
from sweeps.store.trial import mend_definition, read_overrides
from sweeps.tracking import Run

MADE_UP = settings(
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FACTS = {
    "git": {"commit": "a" * 40, "dirty": True, "untracked": ["a.py"]},
    "packages": {"jax": "0.10"},
    "cpus": 2,
    "environment": {"OMP_NUM_THREADS": "2"},
    "lanes": 2,
    "pack": "a",
    "compile_seconds": 1.5,
    "compile_cache": "hit",
    "volatile_metrics": ["time/seconds"],
    "lineage": [{"step": 1, "from": "a"}],
}
FILES = ("sweep.json", "trial.json", "result.json", "provenance.json", "config.yaml")
NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_subnormal=False),
    st.sampled_from([0, -1, 1, 2**53, 2**64, 10**400]),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "nan", "inf", "min", "a/../../b", "\ud800", "[/x]", "finished", "lost"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXTS, st.sampled_from(["metric", "value", "step"])), inner),
    ),
    max_leaves=5,
)


def planned(rate: float) -> PlannedTrial:
    identity = {"rate": rate, "kind": "a"}
    spec = TrialSpec(
        config={**identity, "sweep": {"replicate": "seed"}},
        overrides=(f"rate={rate}",),
        settings={"rate": str(rate)},
        fingerprint=fingerprint(identity),
        planned_fingerprint=fingerprint(identity),
        train_command=f"python -m app rate={rate}",
    )
    return PlannedTrial(spec=spec, identity=identity)


def trial_folder(root: Path, rate: float) -> Path:
    return root / "grid" / f"rate={rate},id={planned(rate).spec.fingerprint[:6]}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output folder with the sweep `grid` of two finished trials and one that waits."""
    root = tmp_path / "outputs"
    for rate in (0.1, 0.2, 0.3):
        directory = trial_folder(root, rate)
        write_trial(directory, planned(rate).spec, Provenance(dict(FACTS), ""))
        if rate < 0.3:
            with Run(directory, metric="loss", mode="min") as run:
                for step in range(1, 6):
                    run.report(step, {"loss": rate / step}, 5)
    sweep = Sweep(
        folder=root / "grid",
        axes=("rate",),
        metric="loss",
        replicate="seed",
        common_config={"kind": "a"},
    )
    write_sweep(sweep)
    return root


def commands(root: Path) -> Iterator[Any]:
    """What commands do with the sweep; each may refuse in a sentence."""
    grid, first = root / "grid", trial_folder(root, 0.1)

    def compare() -> None:
        comparison = compare_sweeps([grid], None, None, None)
        shares = axis_importance(comparison.trials, comparison.axes)
        print_comparison(Console(file=io.StringIO()), comparison, shares, 50)
        json.dumps(page_data(comparison, shares), allow_nan=False)

    def reproduce() -> None:
        recorded = read_provenance(first)
        code_changes(recorded, recorded)
        package_changes(recorded.facts.get("packages") or {}, {})
        machine_changes(recorded.facts, {}, ("cpus", "device"))
        read_overrides(first)
        read_config(first)

    def reuse() -> None:
        """Beside this sweep, nothing that is wrong with it may even be refused."""
        try:
            found = trained_in_other_sweeps(root / "other", [planned(0.1).spec.fingerprint])
        except UserError as error:
            raise AssertionError("a neighbour is stopped") from error
        for trial in found.values():
            shutil.rmtree(root / "copy", ignore_errors=True)
            reuse_trial(trial, root / "copy", {"rate": "0.1"})

    yield from (compare, reproduce, reuse)
    yield lambda: dataframes.load(grid)
    yield lambda: _sweeps(root)
    yield lambda: total_compile_time([read_compile_time(first)])
    yield lambda: run_again(root)


def run_again(root: Path, extra: Sequence[str] = ("kind",)) -> SweepFolder:
    """What the sweep's own command does before it trains, with one more axis."""
    trials = [planned(rate) for rate in (0.1, 0.2, 0.3)]
    options = SweepConfig(metric="loss", mode="min", replicate="seed")
    axes = [Axis(key, ()) for key in ("rate", *extra)]
    folder = SweepFolder(root / "grid", axes=axes, planned=trials, options=options)
    folder.write()
    for one in trials:
        trial = folder.find(one)
        if trial is not None and trial.done:
            mend_definition(trial.directory, one.spec)
        else:
            write_trial(folder.path(one), one.spec, Provenance(dict(FACTS), ""))
    return folder


def damage_and_run(root: Path, name: str, content: bytes) -> None:
    """Run every command on a sweep in which a file has this content; all is put back."""
    kept = root.parent / "kept"
    if not kept.exists():
        shutil.copytree(root, kept)
    path = (root / "grid" if name == "sweep.json" else trial_folder(root, 0.1)) / name
    path.write_bytes(content)
    try:
        for command in commands(root):
            with suppress(UserError):
                command()
    finally:
        shutil.rmtree(root)
        shutil.copytree(kept, root)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value within a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@MADE_UP
def test_any_value_at_any_place_of_a_file(root: Path, name: str, data: st.DataObject) -> None:
    folder = root / "grid" if name == "sweep.json" else trial_folder(root, 0.1)
    text = (folder / name).read_text()
    whole = yaml.safe_load(text) if name.endswith("yaml") else json.loads(text)
    place = data.draw(st.sampled_from(list(places(whole))))
    new = replaced(whole, place, data.draw(VALUES))
    if data.draw(st.booleans()) and isinstance(new, dict):
        new[data.draw(TEXTS)] = data.draw(VALUES)  # of a later version
    damage_and_run(root, name, json.dumps(new).encode())


@pytest.mark.parametrize("name", [*FILES, "overrides.yaml", "metrics.csv"])
@given(data=st.data())
@example(data=None)
@settings(MADE_UP, max_examples=15)
def test_any_cut_and_any_bytes_of_a_file(root: Path, name: str, data: st.DataObject | None) -> None:
    folder = root / "grid" if name == "sweep.json" else trial_folder(root, 0.1)
    content = bytearray((folder / name).read_bytes())
    if data is None:  # as a power cut leaves a file
        content.clear()
    elif data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(1, 9))] = data.draw(st.binary(max_size=9))
    damage_and_run(root, name, bytes(content))


ODD_RESULTS = [
    b"",
    b"garbage",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"format": 1, "status": "lost"}',
    b'{"format": 1, "status": "finished", "best": {}}',
    b'{"format": 1, "status": "finished", "best": 5}',
    b'{"format": 1, "status": "finished", "best": {"metric": "loss", "value": "x", "step": 1}}',
    b'{"format": 1, "status": "finished", "metrics": [1]}',
    b'{"format": 1, "status": "finished", "metrics": {"loss": "low"}}',
    b'{"format": 1, "status": "finished", "step": -1}',
    b'{"format": 1, "status": "finished", "step": "nan"}',
    b'{"format": 1, "status": "finished", "seconds": "inf"}',
    b'{"format": 1, "status": "finished", "error": {"a": 1}}',
]


@pytest.mark.parametrize("content", ODD_RESULTS)
def test_a_result_that_cannot_be_read_counts_as_waiting(root: Path, content: bytes) -> None:
    (trial_folder(root, 0.1) / "result.json").write_bytes(content)
    assert [trial.status for trial in read_sweep(root / "grid").trials] == [
        "waiting",
        "finished",
        "waiting",
    ]
    found = run_again(root, extra=()).find(planned(0.1))
    assert found is not None
    assert not found.done


def test_numbers_as_strings_and_keys_of_a_later_version_are_read(root: Path) -> None:
    path = trial_folder(root, 0.1) / "result.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "step": "5", "seconds": "1.5", "later": {"a": [1]}}))
    trial = read_trial(path.parent)
    assert (trial.status, trial.step, trial.seconds) == ("finished", 5, 1.5)
    sweep = root / "grid/sweep.json"
    sweep.write_text(json.dumps({**json.loads(sweep.read_text()), "later": {"a": [1]}}))
    assert len(read_sweep(root / "grid").trials) == 3


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"[]", b'{"format": 1, "settings": ["rate"]}', None]
)
def test_a_trial_s_own_file_is_made_anew_and_its_result_stays(
    root: Path, content: bytes | None
) -> None:
    path = trial_folder(root, 0.1) / "trial.json"
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert len(read_sweep(root / "grid").trials) == 2
    run_again(root, extra=())
    assert path.read_bytes() == before
    assert read_trial(path.parent).done


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"[]", b'{"format": 1, "axes": 5}', b'{"format": 1, "mode": "x"}']
)
def test_a_damaged_sweep_is_told_passed_over_by_others_and_made_anew(
    root: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = root / "grid/sweep.json"
    before = json.loads(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"sweep\.json is damaged; give the sweep's own command"):
        compare_sweeps([root / "grid"], None, None, None)
    assert not trained_in_other_sweeps(root / "other", [planned(0.1).spec.fingerprint])
    assert "The sweep grid is left out" in caplog.text
    folder = run_again(root, extra=())
    assert json.loads(path.read_bytes()) == before
    assert "made anew from the trials' folders" in caplog.text
    assert [trial.status for trial in folder.trials] == ["finished", "finished", "waiting"]


def test_a_later_format_stops_the_sweep_itself_and_no_other(root: Path) -> None:
    path = root / "grid/sweep.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))
    with pytest.raises(UserError, match="has format 2: another version wrote it"):
        run_again(root)
    assert not trained_in_other_sweeps(root / "other", [planned(0.1).spec.fingerprint])


def test_labels_and_fingerprints_lead_to_no_other_folder(root: Path) -> None:
    """They become parts of names, and whoever can write to a store can write them."""
    path = trial_folder(root, 0.1) / "trial.json"
    whole = json.loads(path.read_text())
    for change in (
        {"settings": {"rate": "../../../escaped"}},
        {"choices": {"kind": "../../../escaped"}},
        {"fingerprint": "/escaped", "planned_fingerprint": "../../escaped"},
    ):
        path.write_text(json.dumps(whole | change))
        assert read_trial(path.parent).fingerprint == ""
        assert len(read_sweep(root / "grid").trials) == 2


def test_one_of_two_folders_with_the_same_trial_counts(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finished, waiting = trial_folder(root, 0.1), trial_folder(root, 0.3)
    shutil.copytree(finished, finished.with_name("a copy"))
    copy = waiting.with_name("copy of what waits")
    shutil.copytree(waiting, copy)
    shutil.copyfile(finished / "result.json", copy / "result.json")
    names = [trial.directory.name for trial in read_sweep(root / "grid").trials]
    assert names == ["a copy", "copy of what waits", trial_folder(root, 0.2).name]
    assert "are the same trial" in caplog.text
    assert len(compare_sweeps([root / "grid"], None, None, None).trials) == 3


@pytest.mark.parametrize("content", [b"", b"garbage", b"[1]", b"a: [", b"\xff\xfe", None])
@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml"])
def test_a_done_trial_s_configuration_is_made_anew(
    root: Path, name: str, content: bytes | None
) -> None:
    path = trial_folder(root, 0.1) / name
    before = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    if content != b"[1]" or name == "config.yaml":
        with pytest.raises(UserError, match="missing or damaged; give the command that trained it"):
            (read_config if name == "config.yaml" else read_overrides)(path.parent)
    folder = run_again(root)
    found = folder.find(planned(0.1))
    assert found is not None
    assert found.settings == {"rate": "0.1", "kind": "a"}
    assert (found.directory / name).read_bytes() == before


def test_a_damaged_fact_is_left_out_and_the_others_stay(root: Path) -> None:
    path = trial_folder(root, 0.1) / "provenance.json"
    whole = json.loads(path.read_text())
    for name in FACTS:
        path.write_text(json.dumps({**whole, name: [[5]], "later": 1}))
        facts = read_provenance(path.parent).facts
        assert facts.keys() == {*whole, "later"} - {"format", name}


@pytest.mark.parametrize("damage", ["garbage", "half", "empty", "missing", "zeros", "a byte"])
def test_metrics_of_a_finished_trial_are_made_anew_from_its_events(
    root: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = trial_folder(root, 0.1) / "metrics.csv"
    rows, content = read_metrics(path), path.read_bytes()
    half = len(content) // 2
    path.write_bytes(
        {
            "garbage": b"\x80garbage\n\n",
            "half": content[:half],
            "empty": b"",
            "missing": b"",
            "zeros": content[:half] + bytes(len(content) - half),
            "a byte": content[:half] + b"x" + content[half + 1 :],
        }[damage]
    )
    if damage == "missing":
        path.unlink()
    compare_sweeps([root / "grid"], None, None, None)
    run_again(root, extra=())
    restored = read_metrics(path)
    assert [row["step"] for row in restored] == [1, 2, 3, 4, 5]
    for row, known in zip(restored, rows, strict=True):
        assert row == pytest.approx(known, rel=1e-7)
    assert "restored from the event files" in caplog.text
    caplog.clear()
    run_again(root, extra=())
    assert not caplog.text
