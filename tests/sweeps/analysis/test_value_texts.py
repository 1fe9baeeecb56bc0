"""Tables show values where labels are digits of a hash."""

from typing import Any

import pytest

from sweeps.analysis.value_texts import ValueTexts, setting_text, value_text
from sweeps.config import parse_override
from sweeps.naming import label

PATH = "/data/corpora/of/many/years/very_long_name_of_a_text_{}_of_a_library/train.txt"


def text_of(override: str) -> str:
    key, _, _ = override.partition("=")
    value: Any = parse_override(override).value()
    quoted = override.replace("'", "'\"'\"'")
    return value_text(key.lstrip("+"), label(value), f"python -m app 'seed=1' '{quoted}' other=2")


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("train.changes=[]", "none"),
        ("options={}", "none"),
        ("train.changes=[{step:100,optimizer.learning_rate:0.01}]", "lr 0.01 at 100"),
        (
            "train.changes=[{step:5,a.rate:0.1},{step:9,a.rate:0.01,b:2}]",
            "rate 0.1 at 5, rate 0.01, b 2 at 9",
        ),
        ("data.files=['a b.txt']", "a b.txt"),
        ("data.files=[x/a.txt,b.txt]", "x/a.txt, b.txt"),
        ("+text='a b'", "a b"),
        ("text=x/y", "x/y"),
        ("sizes=[1,2.0,null,true]", "1, 2, null, true"),
        ("one={step:3}", "step 3"),
        ("rate=0.10", "0.1"),
        ("cell=lstm", "lstm"),
        ("name=a-beef", "a-beef"),
    ],
)
def test_text_says_the_value(override: str, text: str) -> None:
    assert text_of(override) == text


@pytest.mark.parametrize(
    "command", ["", "python -m app", "python -m app files=[b]", "app files='", "app 'files=[a'"]
)
def test_label_stays_where_the_command_lacks_its_value(command: str) -> None:
    assert value_text("files", "a_b-1234", command) == "a_b-1234"


def test_values_of_one_text_keep_their_labels() -> None:
    trials = [
        ({"x": label(parse_override(f"x={value}").value())}, f"app x={value}")
        for value in ("[]", "none", "[a/b]")
    ]
    texts = ValueTexts(trials)
    shown = [texts("x", settings["x"]) for settings, _ in trials]
    assert shown == [trials[0][0]["x"], "none", "a/b"]


def test_long_values_are_shortened_as_far_as_they_differ() -> None:
    paths = [PATH.format(number) for number in ("one", "two")]
    trials = [({"data.files": label(path)}, f"app data.files={path}") for path in paths]
    texts = ValueTexts(trials)
    short = [texts("data.files", settings["data.files"], 24) for settings, _ in trials]
    assert len(set(short)) == 2
    assert all("..." in one for one in short)
    whole = [texts("data.files", settings["data.files"]) for settings, _ in trials]
    assert whole == paths
    (only,) = [ValueTexts(trials[:1])("data.files", trials[0][0]["data.files"], 24)]
    assert only == "/data/corpo.../train.txt"
    assert len(only) == 24
    assert texts("other", "unknown", 3) == "unknown"


def test_trial_is_called_by_its_values() -> None:
    settings = {"train.changes": label([]), "model.rnn_size": "64"}
    assert setting_text(settings, "app train.changes=[]", 24) == "changes=none,rnn_size=64"
