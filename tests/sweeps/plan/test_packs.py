"""Who trains together: equal groups, as wide as memory and the user allow, over all slots."""

from collections.abc import Sequence

import pytest

from sweeps.config.application import Application
from sweeps.config.options import (
    FrameworkConfig,
    RayConfig,
    SchedulerConfig,
    SearchConfig,
    SweepConfig,
)
from sweeps.errors import UserError
from sweeps.plan.packs import Pack, Packer, PackLimits, build_packer, pack_summary


def packed(
    groups: str, slots: int, most: int | None, fit: int, pay: int, halvings: Sequence[int] = ()
) -> list[str]:
    """One letter a trial, its group -> the packs' letters, `-` before those trained alone."""
    limits = PackLimits(fit, pay)
    packer = Packer(lambda config: config["group"], lambda *_: limits, most)
    configs = [{"group": group} for group in groups]
    packs = packer.packs(configs, slots, 1, 0.0, halvings)
    assert sorted(place for pack in packs for place in pack.members) == list(range(len(groups)))
    return [
        ("" if pack.together else "-") + "".join(groups[place] for place in pack.members)
        for pack in packs
    ]


@pytest.mark.parametrize(
    ("groups", "slots", "most", "fit", "pay", "expected"),
    [
        ("aaaaaaa", 1, 3, 99, 1, ["aaa", "aaa", "a"]),  # a number: filled up, whatever pays
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
def test_packs_are_of_one_group_and_as_wide_as_allowed(
    groups: str, slots: int, most: int | None, fit: int, pay: int, expected: list[str]
) -> None:
    assert packed(groups, slots, most, fit, pay) == expected


def test_trials_whose_pack_was_too_wide_are_in_narrower_ones_of_their_own() -> None:
    assert packed("aaaaaa", 1, 4, 99, 1, [1, 1, 1, 1, 0, 0]) == ["aa", "aa", "aa"]
    assert packed("aaa", 1, 4, 99, 1, [32, 32, 0]) == ["a", "a", "a"]  # still by the pack function


def test_summary_counts_packs_and_the_rest() -> None:
    assert pack_summary([Pack((0, 1), True), Pack((2,), True), Pack((3,), False)]) == (
        "in 2 packs of up to 2, 1 alone"
    )
    assert pack_summary([Pack((0,), False)]) == ""


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
    assert (numbered.most, automatic.most) == (3, None)
