import jax
import jax.numpy as jnp
import pytest

from benchmarks.harness.compose import compose_values
from benchmarks.harness.flops import flops_per_step
from lm.config import parse_config


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        # An LSTM of 3 on words of 2, then 5 words: 4 gates x 3 x (2 + 3), and 3 x 5.
        (["model.hidden_size=null"], 6 * 8 * (60 + 15)),
        (["model.hidden_size=4"], 6 * 8 * (60 + 12 + 20)),
        (["model.hidden_size=null", "model.layers=2"], 6 * 8 * (60 + 72 + 15)),
        (["model.hidden_size=null", "model.cell=gru"], 6 * 8 * (45 + 15)),
        (["model.hidden_size=null", "train.predict=last"], 6 * (8 * 60 + 2 * 15)),
    ],
)
def test_operations_of_small_models_as_counted_by_hand(
    overrides: list[str], expected: float
) -> None:
    small = ["data.vocab_size=5", "model.embed_size=2", "model.rnn_size=3"]
    small += ["train.batch_size=2", "train.sequence_length=4", *overrides]
    assert flops_per_step(parse_config(compose_values(small))) == expected


def test_a_product_s_backward_pass_takes_two_of_its_size() -> None:
    def product(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.tanh(a @ b).sum()

    a, b = jnp.ones((64, 96)), jnp.ones((96, 128))
    forward = jax.jit(product).lower(a, b).compile().cost_analysis()
    both = jax.jit(jax.grad(product, argnums=(0, 1))).lower(a, b).compile().cost_analysis()
    assert both["flops"] / forward["flops"] == pytest.approx(3, rel=0.02)
