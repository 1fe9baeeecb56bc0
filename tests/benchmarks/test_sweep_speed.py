import importlib.util
from pathlib import Path

import pytest

from benchmarks import sweep_speed
from benchmarks.sweep_speed import SweepRun
from sweeps.errors import UserError

torch_installed = pytest.mark.skipif(
    not importlib.util.find_spec("torch"), reason="the bench extra brings PyTorch"
)


@torch_installed
def test_table_has_the_median_ratio_and_what_each_reached(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = iter(
        [SweepRun(30, [90.0, 95.0]), SweepRun(40, [90.0, 95.0]), SweepRun(36, [90.0, 95.0])]
    )
    caches: list[Path] = []

    def ours(folder: Path, overrides: list[str], kept: Path) -> SweepRun:
        assert "train.epochs=5" in overrides
        assert ("log.histogram_every=0" in overrides) == (folder.name == "bare")
        caches.append(kept)
        return SweepRun({"ours": 20, "again": 18, "bare": 16}[folder.name], [88.0, 91.5])

    monkeypatch.setattr(sweep_speed, "run_peer", lambda *_: next(peer))
    monkeypatch.setattr(sweep_speed, "run_ours", ours)
    sweep_speed.main(["--rounds=3", "--again", "--bare", "--markdown"])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line][2:]
    assert rows == [
        ["PyTorch + Ray Tune", "36.0", "30.0", "40.0", "", "2", "90.0", "95.0"],
        ["ours", "20.0", "20.0", "20.0", "1.80", "2", "88.0", "91.5"],
        ["ours again", "18.0", "18.0", "18.0", "2.00", "2", "88.0", "91.5"],
        ["ours, scalars alone", "16.0", "16.0", "16.0", "2.25", "2", "88.0", "91.5"],
    ]
    assert len(set(caches)) == 6  # none is filled but for the run again, which shares with ours


@torch_installed
def test_sherlock_without_a_folder_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.root"):
        sweep_speed.main(["data=sherlock"])
