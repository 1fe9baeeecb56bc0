"""Loss and gradient with all parts of AWD-LSTM, against a plain model in float64 and autodiff."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from lm.config import Config, parse_config
from lm.data.batches import Batch
from lm.model.dropout import DropoutMasks
from lm.optim.optimizer import hyperparameters
from lm.training.randomness import StepRandomness
from lm.training.step import StepBatch, batch_loss, step_batch
from tests.lm.training.test_step import BATCH, KEY, STREAMS, TIME, recipe, start

Compose = Callable[..., dict[str, Any]]
SIZES = 7, 7, 5
TOLERANCE = 2e-5
AWD = (
    f"train.batch_size={BATCH}",
    f"train.sequence_length={TIME}",
    "model.layers=3",
    "model.last_size=5",
    "model.hidden_size=null",
    "model.tie_weights=true",
    "model.input_dropout=0.2",
    "model.dropout=0.3",
    "model.output_dropout=0.4",
    "model.embedding_dropout=0.2",
    "model.weight_drop=0.5",
    "loss.activation_penalty=2",
    "loss.slowness_penalty=0.7",
)


class Masks(NamedTuple):
    """What is multiplied: 0, or one over the share that is kept."""

    words: Array
    units: list[Array]
    """After the embedding and after each layer."""
    weights: list[Array]


def factors(config: Config, masks: DropoutMasks) -> Masks:
    widths = config.model.embed_size, *SIZES
    return Masks(
        masks.drop_words(jnp.ones((TIME, BATCH, widths[0]))),
        [
            masks.drop_units(jnp.ones((TIME, BATCH, width)), connection)
            for connection, width in enumerate(widths)
        ],
        [masks.drop_weights(jnp.ones((size, 4 * size)), layer) for layer, size in enumerate(SIZES)],
    )


def plain_loss(
    params: Any, carries: Any, batch: StepBatch, masks: Masks
) -> tuple[Array, tuple[Array, Array]]:
    """Tied LSTM layers, each time step by itself; AR with 2, TAR with 0.7 (Merity et al. 2017)."""
    vectors = params["embedding"]["weight"]
    x = vectors[batch.inputs_tb] * masks.words * masks.units[0]
    for index, (h, c) in enumerate(carries):
        layer, outputs = params["layers"][index], []
        kernel = layer["recurrent_kernel"] * masks.weights[index]
        for x_be in x:
            z = x_be @ layer["input_kernel"] + h @ kernel + layer["bias"][None, :]
            i, f, g, o = jnp.split(z, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            outputs.append(h)
        x = jnp.stack(outputs) * masks.units[index + 1]
    logits = x.reshape(-1, SIZES[-1]) @ vectors.T + params["output"]["bias"][None, :]
    chances = jax.nn.log_softmax(logits, axis=1)
    targets = batch.targets_tb.reshape(-1)
    loss = -chances[jnp.arange(len(targets)), targets].mean()
    steps = jnp.stack(outputs)
    penalty = 2 * (x**2).mean() + 0.7 * ((steps[1:] - steps[:-1]) ** 2).mean()
    return loss + penalty, (loss, h)


@pytest.mark.parametrize("kind", ["locked", "step"])
@pytest.mark.parametrize("over_time", ["mean", "sum"])
@pytest.mark.slow
def test_loss_and_gradient_equal_those_of_a_plain_model(
    tiny: Compose, kind: str, over_time: str
) -> None:
    config = parse_config(tiny(*AWD, f"model.dropout_kind={kind}", f"loss.over_time={over_time}"))
    state, hyperparams = start(config), hyperparameters(config, 0)
    # Away from the small weights of the start, where mistakes hardly show.
    params = jax.tree.map(lambda x: 4 * x + 0.1, state.params)
    carry = jax.tree.map(lambda x: x + 0.3, state.carry)
    batch = Batch(jnp.asarray(STREAMS[3 : 3 + TIME]), jnp.asarray(STREAMS[4 : 4 + TIME]))
    randomness = StepRandomness(dropout_key=KEY, candidates=None, start=None)
    inputs = step_batch(batch, None).with_dropout(recipe(config), params, hyperparams, randomness)
    run = jax.value_and_grad(partial(batch_loss, recipe(config), hyperparams), has_aux=True)
    (minimised, (loss, after)), grads = jax.jit(run)(params, carry, inputs)
    dropped = factors(config, inputs.dropout)
    np.testing.assert_allclose(np.unique(dropped.units[3]), [0, 1 / 0.6], rtol=1e-6)
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), (params, carry, dropped))
        plain = jax.jit(jax.value_and_grad(plain_loss, has_aux=True))
        (total, (cross_entropy, h)), expected = plain(exact[0], exact[1], inputs, exact[2])
    factor = TIME if over_time == "sum" else 1
    assert float(loss) == pytest.approx(float(cross_entropy), rel=TOLERANCE)
    assert float(minimised) == pytest.approx(factor * float(total), rel=TOLERANCE)
    np.testing.assert_allclose(after[-1][0], h, atol=TOLERANCE)
    for one, other in zip(jax.tree.leaves(grads), jax.tree.leaves(expected), strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one / factor, other, atol=TOLERANCE * float(scale))
