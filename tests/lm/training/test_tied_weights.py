"""`model.tie_weights`: the word vectors are the softmax's too."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config import Config, parse_config
from lm.data.dataset import load_dataset
from lm.training.functions import build_functions, make_static_config
from lm.training.trainer import Trainer
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import final_state, history, killed_at, run

Compose = Callable[..., dict[str, Any]]
TIED = ("model.tie_weights=true", "model.embed_size=6")
SAMPLED = ("loss.kind=sampled_softmax", "loss.samples=5")
SHOWN = ("log.histogram_every=20", "log.sample_words=5", "log.embedding_words=8", "log.graph=true")


def one_step(config: Config, params: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """Parameters before and after the first update, of all rows."""
    dataset = load_dataset(config.data)
    trainer = Trainer(config, dataset)
    state = trainer.start()
    if params:
        state = state._replace(params=jax.tree.map(jnp.copy, params))
    before = jax.tree.map(np.array, state.params)
    program, values = (
        build_functions(make_static_config(config, len(dataset.vocabulary))),
        trainer.hyperparams(0),
    )
    call = (values, trainer.streams_lb, trainer.train_key, 1)
    state, _ = program.advance(state, *call)
    state = program.flush(state, values, jnp.bool_(True))
    return before, jax.tree.map(np.array, state.params)


@pytest.mark.parametrize("loss", [(), SAMPLED])
@pytest.mark.slow
def test_gradient_of_tied_vectors_is_the_sum_of_both_tables(
    tiny: Compose, loss: tuple[str, ...]
) -> None:
    sgd = ("optimizer=sgd", "optimizer.learning_rate=1", "train.clip_norm=null")
    tied = parse_config(tiny(*TIED, *sgd, *loss))
    apart = replace(tied, model=replace(tied.model, tie_weights=False))
    before, after = one_step(tied)
    assert set(before["output"]) == {"bias"}
    vectors = before["embedding"]["weight"]
    same = {**before, "output": {"bias": before["output"]["bias"], "weight": vectors}}
    _, both = one_step(apart, same)
    moved = both["embedding"]["weight"] + both["output"]["weight"] - 2 * vectors
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(after["embedding"]["weight"] - vectors, moved, atol=1e-6)
    for name in ("layers", "hidden"):
        for a, b in zip(jax.tree.leaves(after[name]), jax.tree.leaves(both[name]), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(after["output"]["bias"], both["output"]["bias"], atol=1e-6)


def test_tied_run_shows_itself_and_goes_on_to_the_same_bits(tmp_path: Path, tiny: Compose) -> None:
    values = tiny(*TIED, *SHOWN, *SAMPLED)
    run(tmp_path / "whole", values)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", values, on_report=killed_at(30))
    run(tmp_path / "cut", values)
    np.testing.assert_equal(history(tmp_path / "cut"), history(tmp_path / "whole"))
    shown = {path.name for path in (tmp_path / "whole").rglob("*.tsv")}
    assert not {name for name in shown if "output" in name}


def test_tied_lanes_equal_tied_runs(tmp_path: Path, tiny: Compose) -> None:
    values = {name: tiny(*TIED, *SAMPLED, f"seed={name}") for name in ("1", "2")}
    train_pack(tmp_path, values)
    run(tmp_path / "alone", values["2"])
    pairs = zip(
        final_state(tmp_path / "2", values["2"]),
        final_state(tmp_path / "alone", values["2"]),
        strict=True,
    )
    for packed, alone in pairs:
        np.testing.assert_allclose(packed, alone, rtol=1e-4, atol=1e-5)
