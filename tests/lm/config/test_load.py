"""Sections with kinds: each kind has its own options, whatever file or override chooses it."""

from collections.abc import Callable
from typing import Any

import pytest

from lm.config import CONFIG_DIR, AdamConfig, Config, MomentumConfig, momentum_of, parse_config
from sweeps.config import check_overrides
from sweeps.errors import UserError

Compose = Callable[..., dict[str, Any]]
THREE = "optimizer=momentum or optimizer=muon or optimizer=rmsprop"
SET = "and an override sets it; leave it out there, or take"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["optimizer=adam", "optimizer.momentum=0.5"],
            f"optimizer.momentum has no meaning for optimizer=adam, {SET} {THREE}, which have it.",
        ),
        (
            ["optimizer.beta1=0.5"],
            f"optimizer.beta1 has no meaning for optimizer=momentum, {SET} "
            "optimizer=adam or optimizer=adamw or optimizer=lion or optimizer=muon, which have it.",
        ),
        (
            ["+experiment=sherlock_adam", "optimizer.momentum=0.5"],
            f"optimizer.momentum has no meaning for optimizer=adam, {SET} {THREE}, which have it.",
        ),
        (
            ["scheduler=pbt", "scheduler.grace=1"],
            f"scheduler.grace has no meaning for scheduler=pbt, {SET} scheduler=asha or "
            "scheduler=median, which have it.",
        ),
        (
            ["optimizer.momentum=null"],
            "optimizer.momentum=null does not fit: field 'optimizer.momentum' is not Optional.",
        ),
        (
            ["optimizer.momentm=1"],
            "optimizer.momentm is no option; did you mean optimizer.momentum?",
        ),
    ],
)
def test_option_that_the_chosen_kind_lacks_is_refused_in_one_sentence(
    compose: Compose, overrides: list[str], sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        check_overrides(overrides, CONFIG_DIR, Config)
    assert str(caught.value) == sentence


def test_other_optimizer_over_an_experiment_that_sets_momentum_is_as_its_file_says(
    compose: Compose,
) -> None:
    overrides = ["+experiment=sherlock", "optimizer=adam"]
    check_overrides(overrides, CONFIG_DIR, Config)
    chosen = parse_config(compose(*overrides)).optimizer
    assert isinstance(chosen, AdamConfig)
    assert chosen == parse_config(compose("optimizer=adam")).optimizer
    assert chosen == parse_config(compose("+experiment=sherlock_adam")).optimizer
    own = parse_config(compose("+experiment=sherlock")).optimizer
    assert isinstance(own, MomentumConfig)
    assert (own.learning_rate, own.momentum) == (0.05, 0.8)


def test_momentum_of_a_rule_without_one_is_zero(compose: Compose) -> None:
    rules = {"momentum": 0.9, "sgd": 0.0, "rmsprop": 0.0, "muon": 0.95}
    rules |= dict.fromkeys(("adam", "adamw", "lion"), 0.0)
    found = {
        name: momentum_of(parse_config(compose(f"optimizer={name}")).optimizer) for name in rules
    }
    assert found == rules
