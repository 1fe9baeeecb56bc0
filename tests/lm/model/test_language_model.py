"""The model against PyTorch with the same weights, and properties of the recurrence."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from lm.config import InitializerConfig, ModelConfig
from lm.model.initializers import init_scales
from lm.model.language_model import LanguageModel, make_cell
from lm.model.recurrence import run_cell

TIME, BATCH, EMBED, RNN, VOCAB = 7, 3, 5, 6, 11
TOLERANCE = 1e-5
MODEL = ModelConfig(
    cell="lstm",
    embed_size=EMBED,
    rnn_size=RNN,
    last_size=None,
    layers=1,
    hidden_size=4,
    dropout=0.0,
    input_dropout=None,
    output_dropout=None,
    dropout_kind="step",
    embedding_dropout=0.0,
    weight_drop=0.0,
    forget_bias=1.0,
    tie_weights=False,
    embed_scale=0.1,
    initializer=InitializerConfig(kind="variance_scaling", scale=1.0),
)


def make_model(**changes: object) -> LanguageModel:
    config = replace(MODEL, **changes)
    return LanguageModel(config, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))


def ids(seed: int = 0, time: int = TIME) -> jax.Array:
    return jax.random.randint(jax.random.key(seed), (time, BATCH), 0, VOCAB)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrence_equals_pytorch_forward_and_backward(cell: str, layers: int) -> None:
    torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")
    model = make_model(cell=cell, layers=layers)
    theirs = getattr(torch.nn, cell.upper())(EMBED, RNN, layers)
    copy_to_torch(model, theirs, cell)
    x = np.random.default_rng(1).normal(size=(TIME, BATCH, EMBED)).astype(np.float32)
    weight = np.random.default_rng(2).normal(size=(TIME, BATCH, RNN)).astype(np.float32)
    graph, params = nnx.split(model.layers)

    def loss(params: nnx.State, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        for layer, carry in zip(nnx.merge(graph, params), model.zero_carry(BATCH), strict=True):
            _, x = run_cell(layer, carry, x)
        return (x * weight).sum(), x

    gradient = jax.grad(loss, argnums=(0, 1), has_aux=True)
    (grads, x_grad), ours = gradient(params, jnp.asarray(x))
    x_torch = torch.tensor(x, requires_grad=True)
    out, _ = theirs(x_torch)
    (out * torch.tensor(weight)).sum().backward()

    np.testing.assert_allclose(ours, out.detach().numpy(), atol=TOLERANCE)
    np.testing.assert_allclose(x_grad, x_torch.grad.numpy(), atol=TOLERANCE)
    for index in range(layers):
        grad = grads[index]
        for name, torch_name in (("input_kernel", "weight_ih"), ("recurrent_kernel", "weight_hh")):
            expected = getattr(theirs, f"{torch_name}_l{index}").grad.numpy().T
            np.testing.assert_allclose(grad[name][...], expected, atol=TOLERANCE)
        expected = getattr(theirs, f"bias_ih_l{index}").grad.numpy()
        np.testing.assert_allclose(grad["bias"][...], expected, atol=TOLERANCE)
        if cell == "gru":
            expected = getattr(theirs, f"bias_hh_l{index}").grad.numpy()[2 * RNN :]
            np.testing.assert_allclose(grad["recurrent_bias"][...], expected, atol=TOLERANCE)


def copy_to_torch(model: LanguageModel, theirs: object, cell: str) -> None:
    import torch

    for index, layer in enumerate(model.layers):
        recurrent_bias = np.zeros(layer.bias.shape, np.float32)
        if cell == "gru":  # not zero, so that its place in the equations shows
            layer.recurrent_bias[...] = jnp.linspace(-1, 1, RNN)
            recurrent_bias[2 * RNN :] = np.asarray(layer.recurrent_bias[...])
        values = {
            "weight_ih": np.asarray(layer.input_kernel[...]).T,
            "weight_hh": np.asarray(layer.recurrent_kernel[...]).T,
            "bias_ih": np.asarray(layer.bias[...]),
            "bias_hh": recurrent_bias,
        }
        for name, value in values.items():
            getattr(theirs, f"{name}_l{index}").data = torch.tensor(value.copy())


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_whole_sequence_equals_two_parts_with_the_state_carried(cell: str) -> None:
    model = make_model(cell=cell, layers=2)
    whole, after_whole = model.features(ids(), model.zero_carry(BATCH))
    first, carry = model.features(ids()[:4], model.zero_carry(BATCH))
    second, after_parts = model.features(ids()[4:], carry)
    np.testing.assert_allclose(whole, jnp.concatenate([first, second]), atol=1e-6)
    for one, other in zip(jax.tree.leaves(after_whole), jax.tree.leaves(after_parts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_features_do_not_depend_on_later_words() -> None:
    model = make_model(layers=2)
    changed = ids().at[5:].set((ids()[5:] + 1) % VOCAB)
    before, _ = model.features(ids(), model.zero_carry(BATCH))
    after, _ = model.features(changed, model.zero_carry(BATCH))
    np.testing.assert_array_equal(before[:5], after[:5])
    assert np.abs(before[5:] - after[5:]).min(axis=-1).max() > 0


@pytest.mark.parametrize("tie_weights", [False, True])
def test_logits_are_those_of_the_features(tie_weights: bool) -> None:
    model = make_model(tie_weights=tie_weights, hidden_size=EMBED)
    logits_tbv, carry = model(ids(), model.zero_carry(BATCH))
    features_tbd, other = model.features(ids(), model.zero_carry(BATCH))
    weight = (model.embedding if tie_weights else model.output).weight
    expected = (
        jnp.einsum("tbd,vd->tbv", features_tbd, weight[...]) + model.output.bias[...][None, None, :]
    )
    assert logits_tbv.shape == (TIME, BATCH, VOCAB)
    np.testing.assert_allclose(logits_tbv, expected, atol=TOLERANCE)
    jax.tree.map(np.testing.assert_array_equal, carry, other)


def test_no_hidden_layer_gives_the_recurrence_to_the_softmax() -> None:
    model = make_model(hidden_size=None)
    features, _ = model.features(ids(), model.zero_carry(BATCH))
    assert features.shape == (TIME, BATCH, RNN)
    assert model.output.weight.shape == (VOCAB, RNN)


def test_forget_bias_is_the_forget_gates_alone() -> None:
    model = make_model(forget_bias=2.5)
    bias = model.layers[0].bias[...]
    np.testing.assert_array_equal(bias[RNN : 2 * RNN], 2.5)
    assert not bias[:RNN].any()
    assert not bias[2 * RNN :].any()


@pytest.mark.parametrize(
    ("kind", "scale", "deviation"),
    [("uniform", 0.3, 0.3 / np.sqrt(3)), ("variance_scaling", 2.0, np.sqrt(2.0 / 200))],
)
def test_initializers_have_the_spread_that_they_name(
    kind: str, scale: float, deviation: float
) -> None:
    config = replace(MODEL, initializer=InitializerConfig(kind=kind, scale=scale))
    rngs = nnx.Rngs(params=jax.random.key(1))
    layer = make_cell(replace(config, cell="rnn"), 200, 300, scales=init_scales(config), rngs=rngs)
    kernel = np.asarray(layer.input_kernel[...])
    assert kernel.std() == pytest.approx(deviation, rel=0.03)
    if kind == "uniform":
        assert np.abs(kernel).max() <= scale
