"""Hydra's grammar becomes axes."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeps.config import SearchConfig
from sweeps.errors import UserError
from sweeps.search.samplers import all_settings
from sweeps.search.space import Interval, Space, build_space, param_override


def space(params: dict[str, object], *arguments: str) -> Space:
    parser = OverridesParser.create()
    texts = [param_override(key, value) for key, value in params.items()]
    return build_space(parser.parse_overrides(texts), parser.parse_overrides(list(arguments)))


def overrides(found: Space) -> list[list[str]]:
    return [
        [value.override for value in setting]
        for setting in all_settings(found, SearchConfig("grid", None, 0))
    ]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("1,2", ["1", "2"]),
        ("choice(lstm,gru)", ["lstm", "gru"]),
        ("range(1,4)", ["1", "2", "3"]),
        ("range(0,0.3,step=0.1)", ["0", "0.1", "0.2"]),
        ("0.10,1e-5,1e3,0.001", ["0.1", "1e-05", "1000", "0.001"]),
        ("true,false,null", ["true", "false", "null"]),
        ("'a b',ab", ["a_b-c868", "ab"]),
        ("[1,2],[3]", ["1_2-49a6", "3-06d0"]),
    ],
)
def test_values_have_their_shortest_exact_form(text: str, labels: list[str]) -> None:
    found = space({"key": text}).axes[0]
    assert [value.label for value in found.values] == labels


def test_grid_varies_the_rightmost_axis_fastest() -> None:
    assert overrides(space({"a": "1,2"}, "b=x,y")) == [
        ["a=1", "b=x"],
        ["a=1", "b=y"],
        ["a=2", "b=x"],
        ["a=2", "b=y"],
    ]


def test_command_line_replaces_an_axis_in_its_place() -> None:
    found = space({"a": "1,2", "b": "3,4"}, "c=5,6", "a=7,8")
    assert [axis.key for axis in found.axes] == ["a", "b", "c"]
    assert [value.label for value in found.axes[0].values] == ["7", "8"]


def test_command_line_can_hold_an_axis_fixed() -> None:
    found = space({"a": "1,2", "b": "3,4"}, "+sweep=x", "a=7")
    assert [axis.key for axis in found.axes] == ["b"]
    assert found.fixed == ("a=7", "+sweep=x")


def test_prefixes_do_not_hide_that_a_key_is_the_same() -> None:
    found = space({"a": "1,2"}, "++a=3,4")
    assert [axis.key for axis in found.axes] == ["a"]
    assert overrides(found) == [["++a=3"], ["++a=4"]]


def test_deletions_and_quoted_values_are_kept_as_they_are() -> None:
    found = space({}, "~old", "text='a, b'", "k=1,2")
    assert found.fixed == ("~old", "text='a, b'")


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("interval(0,1)", Interval(0, 1)),
        ("int(interval(1,10))", Interval(1, 10, integer=True)),
        ("tag(log,interval(1e-3,1))", Interval(1e-3, 1, log=True)),
        ("tag(log,int(interval(1,100)))", Interval(1, 100, log=True, integer=True)),
    ],
)
def test_interval_is_an_axis_of_numbers(text: str, interval: Interval) -> None:
    (axis,) = space({"+rate": text}).axes
    assert (axis.key, axis.values, axis.interval) == ("rate", (), interval)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("interval(1,1)", "its end must be above its start"),
        ("tag(log,interval(0,1))", "has no logarithm at 0"),
    ],
)
def test_interval_without_numbers_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        space({"rate": text})


def test_numbers_of_an_interval_are_short_within_it_and_spread_as_it_says() -> None:
    logarithmic = Interval(1e-3, 1, log=True)
    assert [logarithmic.quantile(share) for share in (0, 1 / 3, 1)] == [0.001, 0.01, 1.0]
    assert Interval(0.12345678, 0.12345679).quantile(0.5) == pytest.approx(0.123456785)
    whole = [Interval(1, 3, integer=True).quantile(share) for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    assert whole == [1, 1, 2, 2, 3, 3]
    assert all(isinstance(number, int) for number in whole)


def test_shuffled_values_have_one_order() -> None:
    orders = {tuple(v.label for v in space({"a": "shuffle(range(0,9))"}).axes[0].values)}
    orders |= {tuple(v.label for v in space({"a": "shuffle(range(0,9))"}).axes[0].values)}
    (order,) = orders
    assert sorted(order) == list("012345678") != list(order)
