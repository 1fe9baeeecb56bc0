"""A made-up text, and configurations small enough to train in a second."""

import random
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import jax
import pytest
from omegaconf import OmegaConf

from lm.config import CONFIG_DIR, register
from sweeps import hydra_sweeper

Compose = Callable[..., dict[str, Any]]

TINY = (
    "data=text",
    "model.embed_size=5",
    "model.rnn_size=7",
    "model.hidden_size=6",
    "optimizer.learning_rate=0.05",
    "train.batch_size=4",
    "train.sequence_length=5",
    "train.epochs=2",
    "train.report_every=7",
    *(f"log.{what}=0" for what in ("histogram_every", "sample_words", "embedding_words")),
    "log.graph=false",
)


@pytest.fixture(scope="session", autouse=True)
def compile_cache(own_cache: Path) -> None:
    """What one test has compiled the others need not, in this process or another."""
    # Without a limit of its size no process waits for another's lock.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    jax.config.update("jax_compilation_cache_dir", str(own_cache / "tests"))


@pytest.fixture(scope="session")
def compose() -> Compose:
    """Overrides -> plain values, as the commands compose them."""
    register()
    hydra_sweeper.register()

    @cache
    def composed(*overrides: str) -> dict[str, Any]:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = hydra.compose("config", overrides=list(overrides))
        values = OmegaConf.to_container(config, resolve=True)
        assert isinstance(values, dict)
        return {str(key): value for key, value in values.items()}

    # A test may change what it gets.
    return lambda *overrides: deepcopy(composed(*overrides))


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """603 words of 20 types, each with two likely successors, so that there is much to learn."""
    draw = random.Random(0)
    words = [f"{a}{b}" for a in "bdgk" for b in "aeiou"]
    index, text = 0, []
    for _ in range(603):
        text.append(words[index])
        index = (3 * index + draw.choice([1, 1, 1, 4])) % len(words)
    path = tmp_path_factory.mktemp("text") / "story.txt"
    path.write_text(" ".join(text) + "\n")
    return path


@pytest.fixture(scope="session")
def tiny(compose: Compose, story: Path) -> Compose:
    """Further overrides -> the values of a tiny run on the made-up text."""
    return lambda *overrides: compose(*TINY, f"data.files=[{story}]", *overrides)


@pytest.fixture(scope="session")
def tiny_overrides(story: Path) -> list[str]:
    """The same for a command line."""
    return [*TINY, f"data.files=[{story}]"]


@pytest.fixture(scope="session")
def whole_pack(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """All lanes of `tests.lm.helpers.packs` in one pack, uninterrupted."""
    from tests.lm.helpers.packs import LANES, lanes, train_pack

    folder = tmp_path_factory.mktemp("whole_pack")
    train_pack(folder, lanes(tiny, *LANES))
    return folder
