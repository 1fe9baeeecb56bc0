"""Charts of a sweep, read back by TensorBoard's Custom Scalars plugin."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeps.store.sweep import read_sweep
from sweeps.tensorboard.custom_scalars import write_charts

CHARTS = {"Loss": ["train/loss", "valid/loss"], "Other": ["other"]}
Look = Callable[[Path], Any]


def one(setting: Mapping[str, Any], step: int) -> float:
    return 1.0


def test_charts_of_two_sweeps_are_shown_once(make_sweep: Any, look: Look) -> None:
    settings = [{"rate": rate, "seed": 0} for rate in (1, 2)]
    folders = [make_sweep(settings, one, name=name, replicate="seed") for name in ("a", "b")]
    for folder in folders:
        write_charts(read_sweep(folder), CHARTS)
    lines, bands = look(folders[0].parent).layout()["category"]
    assert [chart["title"] for chart in lines["chart"]] == ["Loss", "Other"]
    assert lines["chart"][0]["multiline"] == {"tag": ["train/loss$", "valid/loss$"]}
    assert bands["title"] == "Mean and deviation over seed"
    assert [chart["title"] for chart in bands["chart"]] == ["train/loss", "valid/loss", "other"]
    [series] = bands["chart"][0]["margin"]["series"]
    assert series["lower"] == "over_seed/train/loss/lower"
