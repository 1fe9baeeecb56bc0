"""Ranges and combinations of options, each refused in a sentence that names the option."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hydra.errors import ConfigCompositionException

from lm.config import parse_config
from sweeps.errors import UserError

Compose = Callable[..., dict[str, Any]]


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(values)
    *sections, name = key.split(".")
    section = values
    for part in sections:
        section = section[part]
    section[name] = value
    return values


@pytest.mark.parametrize(
    ("key", "value", "bound"),
    [
        ("optimizer.learning_rate", -0.1, "above 0"),
        ("optimizer.learning_rate", 0.0, "above 0"),
        ("optimizer.momentum", 1.0, "below 1"),
        ("optimizer.decay", 1.5, "at most 1"),
        ("data.vocab_size", 1, "at least 2"),
        ("data.valid_fraction", 0.0, "above 0"),
        ("model.rnn_size", 0, "at least 1"),
        ("model.hidden_size", 0, "at least 1"),
        ("model.dropout", 1.0, "below 1"),
        ("model.input_dropout", 1.0, "below 1"),
        ("model.embedding_dropout", -0.1, "at least 0"),
        ("model.weight_drop", 1.0, "below 1"),
        ("model.last_size", 0, "at least 1"),
        ("model.initializer.scale", 0.0, "above 0"),
        ("loss.samples", 0, "at least 1"),
        ("loss.activation_penalty", -1.0, "at least 0"),
        ("optimizer.weight_decay", -1.0, "at least 0"),
        ("optimizer.average_patience", -1, "at least 0"),
        ("train.batch_size", 0, "at least 1"),
        ("train.epochs", 0, "at least 1"),
        ("train.clip_norm", 0.0, "above 0"),
        ("train.report_every", 0, "at least 1"),
        ("train.checkpoint_minutes", -1.0, "at least 0"),
        ("seed", -1, "at least 0"),
        ("seed", 2**32, "at most"),
    ],
)
def test_number_out_of_range_is_named(compose: Compose, key: str, value: float, bound: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(changed(compose(), key, value))
    sentence = str(caught.value)
    assert sentence.startswith(f"{key}={value} is out of range; it must be {bound}")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "key", ["optimizer.learning_rate", "model.forget_bias", "train.clip_norm", "model.dropout"]
)
def test_number_that_is_not_finite_is_named(compose: Compose, key: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{key}={value} is "):
        parse_config(changed(compose(), key, value))


@pytest.mark.parametrize(
    "key",
    [
        "model.cell",
        "loss.kind",
        "loss.over_time",
        "data.level",
        "train.predict",
        "model.initializer.kind",
    ],
)
def test_unknown_choice_is_told_the_known_ones(compose: Compose, key: str) -> None:
    with pytest.raises(UserError, match=f"{key}=other is not known; choose one of .*, "):
        parse_config(changed(compose(), key, "other"))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data=text"], "data=text needs the files to read"),
        (["data.files=[a.txt]"], "data.files goes with data=text and data=code"),
        (["data.valid_fraction=0.5", "data.test_fraction=0.5"], "leave no text to train on"),
        (
            ["optimizer=adam", "optimizer.kind=momentum"],
            "optimizer.beta1 has no meaning for optimizer=momentum, and the configuration sets it",
        ),
        (["optimizer.kind=newton"], "optimizer.kind=newton is not known; choose one of momentum,"),
        (["sweep.retries=-1"], "sweep.retries=-1 is out of range; it must be at least 0"),
        (
            ["loss.slowness_penalty=1", "train.sequence_length=1"],
            "loss.slowness_penalty compares time steps, of which train.sequence_length=1 has one",
        ),
        (
            ["model.tie_weights=true", "model.hidden_size=96"],
            "make model.embed_size=64 and model.hidden_size=96 equal",
        ),
        (
            ["model.tie_weights=true", "model.hidden_size=null"],
            "make model.embed_size=64 and model.rnn_size=128 equal",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(
    compose: Compose, overrides: list[str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        parse_config(compose(*overrides))


@pytest.mark.parametrize(
    "override", ["model.cel=lstm", "model.layers=2.5", "seed=x", "fresh=maybe"]
)
def test_unknown_key_or_wrong_type_does_not_compose(compose: Compose, override: str) -> None:
    with pytest.raises(ConfigCompositionException):
        compose(override)


def test_null_is_taken_where_it_has_a_meaning(compose: Compose) -> None:
    keys = ("train.clip_norm", "model.hidden_size", "data.vocab_size")
    config = parse_config(compose(*(f"{key}=null" for key in keys)))
    assert config.train.clip_norm is config.model.hidden_size is config.data.vocab_size is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "caf\udce9"),
        ("output_dir", "\udcff/out"),
        ("data.root", "\ud83d"),
        ("log.sample_prompt", "once \udce9 upon"),
        ("sweep.metric", "\udce9"),
        ("sweep.progress", ["\udce9"]),
        ("sweep.zip", [["a", "\udce9"]]),
        ("ray.address", "\udce9:1"),
    ],
)
def test_text_that_is_not_utf8_is_named(compose: Compose, key: str, value: Any) -> None:
    with pytest.raises(UserError, match=f"^{key}=.*ud.* is not UTF-8; write it") as caught:
        parse_config(changed(compose(), key, value))
    str(caught.value).encode()
