"""The driver trains again what lost its memory or its worker."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sweeps import driver
from sweeps.config import FrameworkConfig, SearchConfig, SweepConfig
from sweeps.plan import PendingTrials
from sweeps.tune.outcome import MemoryRanOut, Outcome


def test_packs_are_halved_where_memory_ran_out_and_parted_where_a_worker_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in "abc"]
    options = FrameworkConfig(SweepConfig(metric="loss", mode="min", retries=2), SearchConfig())
    plan = SimpleNamespace(
        options=options,
        console=Console(quiet=True),
        open_folder=lambda: None,
        pending_trials=lambda folder: PendingTrials(directories=paths, num_done=0),
    )
    rounds: list[tuple[list[str], dict[str, int]]] = []

    def train(plan: Any, pending: PendingTrials) -> Outcome:
        rounds.append(([path.name for path in pending.directories], dict(pending.halvings)))
        if len(rounds) == 1:
            raise MemoryRanOut(paths[:2])
        outcome = driver._empty_outcome(plan)
        if len(rounds) == 2:
            outcome.lost, outcome.lost_in_packs = {"b": "died", "c": "died"}, {"b", "c"}
        return outcome

    monkeypatch.setattr(driver, "_train", train)
    outcome, names = driver._train_all(plan, None)  # type: ignore[arg-type]
    assert [names for names, _ in rounds] == [["a", "b", "c"], ["a", "b", "c"], ["b", "c"]]
    assert [halvings for _, halvings in rounds[:2]] == [{}, {"a": 1, "b": 1}]
    assert rounds[2][1] == {"a": 1, "b": driver.ALONE, "c": driver.ALONE}
    assert not outcome.lost
    assert names == {"a", "b", "c"}
