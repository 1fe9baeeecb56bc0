"""Hydra's grammar becomes axes, trials and names."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeps.errors import UserError
from sweeps.space import (
    MAX_NAME_BYTES,
    Space,
    build,
    digits_needed,
    label,
    param_text,
    short_keys,
    trial_name,
)


def space(params: dict[str, object], *arguments: str) -> Space:
    parser = OverridesParser.create()
    texts = [param_text(key, value) for key, value in params.items()]
    return build(parser.parse_overrides(texts), parser.parse_overrides(list(arguments)))


def overrides(found: Space) -> list[list[str]]:
    return [[value.override for value in values] for values in found.grid()]


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
    ("value", "text"),
    [(None, "k=null"), (True, "k=True"), (3, "k=3"), ("1,2", "k=1,2"), ([1, 2], "k=[1,2]")],
)
def test_yaml_values_of_a_sweep_file_are_read_as_hydra_reads_them(value: object, text: str) -> None:
    assert param_text("k", value) == text


def test_endless_axis_is_refused() -> None:
    with pytest.raises(UserError, match=r"rate=interval\(0,1\) has no end"):
        space({"rate": "interval(0,1)"})


def test_keys_that_read_alike_get_more_components() -> None:
    keys = ["model.size", "data.size", "optimizer", "train.rate"]
    assert short_keys(keys) == ["model.size", "data.size", "optimizer", "rate"]


def test_name_holds_each_pair_with_a_comma_and_the_fingerprint() -> None:
    pairs = {"embed_size": "64", "rnn_size": "192", "hidden_size": "96"}
    name = trial_name(pairs, "3f2a9c77")
    assert name == "embed_size=64,rnn_size=192,hidden_size=96,id=3f2a9c"


def test_filter_with_a_comma_never_matches_a_longer_value() -> None:
    names = [trial_name({"learning_rate": label(rate)}, "0" * 64) for rate in (0.1, 0.15)]
    assert [bool(re.search("learning_rate=0.1,", name)) for name in names] == [True, False]


def test_name_is_short_and_safe_whatever_the_values() -> None:
    pairs = {f"key{i}": label(f"/väl/{i}" * 9) for i in range(20)}
    name = trial_name(pairs, "ab" * 32)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert re.fullmatch(r"[A-Za-z0-9._+,=-]+", name)
    assert name.endswith(",id=ababab")


def test_values_that_differ_in_forbidden_characters_stay_apart() -> None:
    assert len({label("a/b"), label("a:b"), label("a_b")}) == 3


def test_fingerprints_get_digits_until_they_differ() -> None:
    assert digits_needed(["aaaaaa1", "bbbbbbb"]) == 6
    assert digits_needed(["aaaaaa1", "aaaaaa2"]) == 7
