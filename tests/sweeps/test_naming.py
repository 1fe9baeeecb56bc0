"""What axes and trials are called."""

import re

import pytest

from sweeps.errors import UserError
from sweeps.naming import (
    MAX_NAME_BYTES,
    check_folder_name,
    digits_needed,
    label,
    short_keys,
    trial_name,
)


def test_keys_that_read_alike_get_more_components() -> None:
    keys = ["model.size", "data.size", "optimizer", "train.rate"]
    assert short_keys(keys) == ["model.size", "data.size", "optimizer", "rate"]


def test_learning_rate_is_lr_in_names() -> None:
    keys = ["optimizer.learning_rate", "seed", "optimizer.momentum"]
    assert short_keys(keys) == ["lr", "seed", "momentum"]
    assert short_keys(keys, others=["search.seed", "other.lr"]) == [
        "optimizer.lr",
        "seed",
        "momentum",
    ]


def test_name_holds_each_pair_with_a_comma_and_the_fingerprint() -> None:
    pairs = {"embed_size": "64", "rnn_size": "192", "hidden_size": "96"}
    name = trial_name(pairs, "3f2a9c77")
    assert name == "embed_size=64,rnn_size=192,hidden_size=96,id=3f2a9c"


def test_filter_with_a_comma_never_matches_a_longer_value() -> None:
    names = [trial_name({"lr": label(rate)}, "0" * 64) for rate in (0.1, 0.15)]
    assert [bool(re.search("lr=0.1,", name)) for name in names] == [True, False]


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


@pytest.mark.parametrize("name", ["a", "a.b_c+d-1", "a..b", "x" * MAX_NAME_BYTES])
def test_a_name_that_is_one_folder_is_taken(name: str) -> None:
    check_folder_name("name", name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a", "a/b", "/a", "../a", "a\\b", "C:a", "a\n", "a b", "ä", "x" * 181],
)
def test_a_name_that_may_be_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"(?s)sweep\.name=.* cannot name a folder"):
        check_folder_name("sweep.name", name)
