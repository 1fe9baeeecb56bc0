"""Packs hold trials of one key, as many as memory and the user allow, over all slots."""

from collections.abc import Sequence

import pytest

from sweeps.config import (
    Application,
    FrameworkConfig,
    RayConfig,
    SchedulerConfig,
    SearchConfig,
    SweepConfig,
)
from sweeps.errors import UserError
from sweeps.plan.packs import Pack, Packer, PackLimits, build_packer, pack_summary


def packed(
    keys: str, slots: int, most: int | None, fit: int, free: int, halvings: Sequence[int] = ()
) -> list[str]:
    """One letter a trial, its key -> the packs' letters, `-` before those trained alone."""
    limits = PackLimits(max_lanes=fit, free_lanes=free)
    packer = Packer(key=lambda config: config["key"], limits=lambda *_: limits, max_lanes=most)
    configs = [{"key": key} for key in keys]
    packs = packer.packs(configs, slots=slots, cpus=1, gpus=0.0, halvings=halvings)
    assert sorted(lane for pack in packs for lane in pack.lanes) == list(range(len(keys)))
    return [
        ("" if pack.vectorized else "-") + "".join(keys[lane] for lane in pack.lanes)
        for pack in packs
    ]


@pytest.mark.parametrize(
    ("keys", "slots", "most", "fit", "free", "expected"),
    [
        ("aaaaaaa", 1, 3, 99, 1, ["aaa", "aaa", "a"]),  # a number: filled up, free or not
        ("ababa", 1, 2, 99, 1, ["aa", "bb", "a"]),
        ("abc", 1, 4, 99, 1, ["a", "b", "c"]),
        ("aaaa", 1, 8, 2, 1, ["aa", "aa"]),  # no more than fit
        ("aa", 1, 8, 1, 1, ["-a", "-a"]),
        ("aaaaaaaa", 1, None, 99, 64, ["aaaaaaaa"]),
        ("aaaaaaaa", 2, None, 99, 64, ["aaaa", "aaaa"]),  # auto: no slot stays idle
        ("aaaabbbb", 2, None, 99, 64, ["aaaa", "bbbb"]),
        ("aaaaaaaaab", 1, None, 99, 4, ["aaa", "aaa", "aaa", "b"]),  # and all are alike
        ("aaaa", 1, None, 99, 1, ["-a", "-a", "-a", "-a"]),  # where nothing is gained
        ("aaaa", 1, None, 3, 64, ["aa", "aa"]),
    ],
)
def test_packs_are_of_one_key_and_as_large_as_allowed(
    keys: str, slots: int, most: int | None, fit: int, free: int, expected: list[str]
) -> None:
    assert packed(keys, slots, most, fit, free) == expected


def test_trials_whose_pack_was_too_large_are_in_smaller_ones_of_their_own() -> None:
    assert packed("aaaaaa", 1, 4, 99, 1, [1, 1, 1, 1, 0, 0]) == ["aa", "aa", "aa"]
    assert packed("aaa", 1, 4, 99, 1, [32, 32, 0]) == ["a", "a", "a"]  # still by the pack function


def test_summary_counts_packs_and_the_rest() -> None:
    packs = [
        Pack(lanes=(0, 1), vectorized=True),
        Pack(lanes=(2,), vectorized=True),
        Pack(lanes=(3,), vectorized=False),
    ]
    assert pack_summary(packs) == "in 2 packs of up to 2, 1 alone"
    assert pack_summary(packs[2:]) == ""


def options(pack: str, search: str = "grid", scheduler: str = "none") -> FrameworkConfig:
    return FrameworkConfig(
        SweepConfig(pack=pack),
        SearchConfig(kind=search),
        SchedulerConfig(kind=scheduler),
        RayConfig(),
    )


def test_programs_without_packs_are_asked_for_none() -> None:
    alone, able = Application(), Application(pack="x", pack_key="math.sin", pack_limits="math.sin")
    assert build_packer(options("1"), able) is None
    assert build_packer(options("auto"), alone) is None
    assert build_packer(options("auto", search="optuna"), able) is None
    assert build_packer(options("auto", scheduler="pbt"), able) is None
    with pytest.raises(UserError, match=r"sweep\.pack=3 needs a program that can train several"):
        build_packer(options("3"), alone)
    numbered, automatic = build_packer(options("3"), able), build_packer(options("auto"), able)
    assert numbered
    assert automatic
    assert (numbered.max_lanes, automatic.max_lanes) == (3, None)
