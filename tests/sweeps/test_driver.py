"""The driver trains again what lost its memory or its worker."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sweeps import driver
from sweeps.config import FrameworkConfig, SearchConfig, SweepConfig
from sweeps.plan import PendingTrials
from sweeps.store import Sweep
from sweeps.tune.guard import SweepGuard
from sweeps.tune.outcome import MemoryRanOut, Outcome

FOLDER = SimpleNamespace(sweep=Sweep(folder=Path("grid"), axes=(), metric="loss"))


def test_packs_are_halved_where_memory_ran_out_and_parted_where_a_worker_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in "abc"]
    options = FrameworkConfig(SweepConfig(metric="loss", mode="min", retries=2), SearchConfig())
    plan = SimpleNamespace(
        options=options,
        console=Console(quiet=True),
        application=SimpleNamespace(charts={}),
        open_folder=lambda: FOLDER,
        pending_trials=lambda folder: PendingTrials(directories=paths, num_done=0),
    )
    rounds: list[tuple[list[str], dict[str, int]]] = []

    def train(plan: Any, pending: PendingTrials, guard: SweepGuard, charts: bytes) -> Outcome:
        rounds.append(([path.name for path in pending.directories], dict(pending.halvings)))
        if len(rounds) == 1:
            raise MemoryRanOut(paths[:2])
        outcome = driver._empty_outcome(plan)
        if len(rounds) == 2:
            outcome.lost, outcome.lost_in_packs = {"b": "died", "c": "died"}, {"b", "c"}
        return outcome

    monkeypatch.setattr(driver, "_train", train)
    guard = SweepGuard(metric="loss")
    outcome, names = driver._train_all(plan, FOLDER, guard)  # type: ignore[arg-type]
    assert [names for names, _ in rounds] == [["a", "b", "c"], ["a", "b", "c"], ["b", "c"]]
    assert [halvings for _, halvings in rounds[:2]] == [{}, {"a": 1, "b": 1}]
    assert rounds[2][1] == {"a": 1, "b": driver.ALONE, "c": driver.ALONE}
    assert not outcome.lost
    assert names == {"a", "b", "c"}


@pytest.mark.parametrize(("fail_after", "rounds"), [(None, 3), (1, 2), (2, 3)])
def test_trial_given_up_for_its_memory_counts_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fail_after: int | None, rounds: int
) -> None:
    options = FrameworkConfig(SweepConfig(metric="loss", mode="min", retries=1), SearchConfig())
    plan = SimpleNamespace(
        options=options,
        console=Console(quiet=True),
        application=SimpleNamespace(charts={}),
        open_folder=lambda: FOLDER,
        pending_trials=lambda folder: PendingTrials(
            directories=[tmp_path / "a", tmp_path / "b"], num_done=0
        ),
    )
    made = 0

    def train(plan: Any, pending: PendingTrials, guard: SweepGuard, charts: bytes) -> Outcome:
        nonlocal made
        made += 1
        if made < 3:
            raise MemoryRanOut([tmp_path / "a"])
        return driver._empty_outcome(plan)

    monkeypatch.setattr(driver, "_train", train)
    guard = SweepGuard(metric="loss", fail_after=fail_after)
    outcome, _ = driver._train_all(plan, FOLDER, guard)  # type: ignore[arg-type]
    assert made == rounds
    assert outcome.ended_early == guard.reason
    assert list(outcome.lost) == ["a"]
