"""The Flax peer computes what ours does; otherwise its speed would say nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks.harness.synthetic_text import synthetic_text
from benchmarks.implementations import flax_training, lm_training
from lm.config import Config
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import SampledOutputLayer, sampled_softmax_loss

Configure = Callable[..., Config]
TOLERANCE = 1e-5

pytestmark = pytest.mark.slow


def as_flax(params: dict[str, Any], cell: str) -> dict[str, Any]:
    """Our parameters under Flax's names."""
    layers = {}
    for index, layer in params["layers"].items():
        inputs, recurrent = (
            {"kernel": layer["input_kernel"]},
            {"kernel": layer["recurrent_kernel"]},
        )
        # Flax's LSTM has its bias with the state, its other cells with the input.
        (recurrent if cell == "lstm" else inputs)["bias"] = layer["bias"]
        layers[index] = {"cell": {"dense_i": inputs, "dense_h": recurrent}}
    return {
        "embedding": {"embedding": params["embedding"]["weight"]},
        "layers": layers,
        "hidden": params["hidden"],
        "output": {"embedding": params["output"]["weight"]},
        "bias": params["output"]["bias"],
    }


def give(peer: flax_training.Training, params: dict[str, Any], cell: str) -> None:
    """Give the peer our parameters."""
    copies = jax.tree.map(jnp.copy, as_flax(params, cell))  # both donate theirs
    nnx.replace_by_pure_dict(peer.state.params, copies)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_peer_trains_to_the_same_parameters_as_ours(configure: Configure, cell: str) -> None:
    config = configure(f"model.cell={cell}")
    ids = synthetic_text(config)[: 3 * 26]  # 5 windows, so that the text is read more than twice
    ours, peer = lm_training.Training(config, ids), flax_training.Training(config, ids)
    give(peer, ours.params, cell)
    for _ in range(4):
        assert peer.run(3) == pytest.approx(ours.run(3), rel=TOLERANCE)
    trained, expected = nnx.to_pure_dict(peer.state.params), as_flax(ours.params, cell)
    assert jax.tree.structure(trained) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(trained), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=TOLERANCE)


def test_first_loss_of_a_gru_equals_ours(configure: Configure) -> None:
    config = configure("model.cell=gru")
    ids = synthetic_text(config)
    ours, peer = lm_training.Training(config, ids), flax_training.Training(config, ids)
    give(peer, ours.params, "gru")
    assert peer.run(1) == pytest.approx(ours.run(1), rel=TOLERANCE)


def test_sampled_loss_of_the_peer_equals_ours(configure: Configure) -> None:
    config = configure()
    model = flax_training.LanguageModel(config.model, 60, rngs=nnx.Rngs(0))
    generator = np.random.default_rng(0)
    features = jnp.asarray(generator.normal(size=(60, 7)).astype(np.float32))
    targets = jnp.asarray(generator.integers(0, 60, 60))
    ids, tries = np.arange(0, 40, 4).astype(np.int32), 13
    drawn = flax_training.Candidates(ids, np.array(tries, np.float32))
    peer = flax_training.sampled_softmax_loss(model, features, targets, drawn)
    weight, bias = model.output.embedding[...], model.bias[...]
    candidates = Candidates(jnp.asarray(ids), jnp.int32(tries))
    words = SampledOutputLayer.gather(weight, bias, targets=targets, candidates=candidates)
    ours = sampled_softmax_loss(features, words)
    assert float(peer) == pytest.approx(float(ours.mean()), rel=TOLERANCE)


def test_peer_drops_units_while_it_trains(configure: Configure) -> None:
    config = configure("model.dropout=0.5")
    model = flax_training.LanguageModel(config.model, 60, rngs=nnx.Rngs(0))
    carries = [layer.cell.initialize_carry((3, 1), nnx.Rngs(0)) for layer in model.layers]
    ids_tb = jnp.zeros((5, 3), jnp.int32)
    first, second = (model(ids_tb, carries, jax.random.key(seed))[0] for seed in (0, 1))
    assert not jnp.array_equal(first, second)
