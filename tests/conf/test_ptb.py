"""The experiments `ptb_*` against what was published of them."""

from collections.abc import Callable
from typing import Any

import hydra
import pytest
from omegaconf import OmegaConf

from lm.config import CONFIG_DIR, Config, parse_config, register
from lm.data.windows import steps_per_epoch
from lm.optim.schedule import learning_rate
from lm.training.functions import build_functions, make_static_config
from lm.training.state import count_parameters
from sweeps import hydra_sweeper

Compose = Callable[..., dict[str, Any]]
TRAINING_WORDS = 929_589


@pytest.fixture(scope="module")
def compose() -> Compose:
    """Overrides -> plain values, as the commands compose them."""
    register()
    hydra_sweeper.register()

    def make(*overrides: str) -> dict[str, Any]:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = hydra.compose("config", overrides=list(overrides))
        return {
            str(key): value for key, value in OmegaConf.to_container(config, resolve=True).items()
        }

    return make


def configuration(compose: Compose, size: str, *overrides: str) -> Config:
    return parse_config(compose(f"+experiment=ptb_{size}", *overrides))


@pytest.mark.parametrize(
    ("size", "overrides", "parameters", "updates"),
    [
        ("small", (), 4_651_600, 2323),
        ("medium", (), 19_775_200, 1327),
        ("large", (), 66_022_000, 1327),
        # Press and Wolf 2017, table 6: 2.65M.
        ("small", ("model.tie_weights=true",), 2_651_600, 2323),
    ],
)
def test_experiments_have_the_published_sizes(
    compose: Compose, size: str, overrides: tuple[str, ...], parameters: int, updates: int
) -> None:
    config = configuration(compose, size, *overrides)
    program = build_functions(make_static_config(config, 10_000))
    assert count_parameters(program.shapes.params) == parameters
    assert steps_per_epoch(TRAINING_WORDS, config.train) == updates


def test_awd_lstm_has_the_authors_size(compose: Compose) -> None:
    config = parse_config(compose("+experiment=awd_lstm"))
    program = build_functions(make_static_config(config, 10_000))
    assert count_parameters(program.shapes.params) == pytest.approx(24.2e6, abs=0.05e6)
    assert (config.train.epochs, steps_per_epoch(TRAINING_WORDS, config.train)) == (500, 663)


@pytest.mark.parametrize(
    ("size", "full", "epochs", "last"),
    [("small", 4, 13, 0.5**9), ("medium", 6, 39, 0.8**33), ("large", 14, 55, 1.15**-41)],
)
def test_rate_is_full_for_as_many_epochs_as_the_tutorial_has_it(
    compose: Compose, size: str, full: int, epochs: int, last: float
) -> None:
    rates = learning_rates(configuration(compose, size))
    assert rates[:full] == [1.0] * full
    assert rates[full] < 1
    assert len(rates) == epochs
    assert rates[-1] == pytest.approx(last)


def test_both_schedules_of_small_print_what_their_logs_say(compose: Compose) -> None:
    """`Epoch: 13 Learning rate: 0.002` since 2017, 0.004 before and in the paper's code."""
    since = learning_rates(configuration(compose, "small"))
    before = learning_rates(configuration(compose, "small", "optimizer.hold_epochs=5"))
    assert [f"{rate:.3f}" for rate in since[3:7]] == ["1.000", "0.500", "0.250", "0.125"]
    assert [f"{rate:.3f}" for rate in before[3:7]] == ["1.000", "1.000", "0.500", "0.250"]
    assert (f"{since[-1]:.3f}", f"{before[-1]:.3f}") == ("0.002", "0.004")


def learning_rates(config: Config) -> list[float]:
    """Of each epoch."""
    return [learning_rate(config.optimizer, epoch) for epoch in range(config.train.epochs)]
