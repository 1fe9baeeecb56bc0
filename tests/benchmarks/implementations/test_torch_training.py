"""The peer computes what ours does; otherwise its speed would say nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.harness.synthetic_text import synthetic_text
from benchmarks.implementations import lm_training, log_uniform
from lm.config import Config
from lm.losses.candidate_sampler import Candidates
from lm.losses.sampled import SampledOutputLayer, sampled_softmax_loss
from lm.training.heldout import make_windows, mean_loss
from sweeps.errors import UserError

torch = pytest.importorskip("torch", reason="the bench extra brings PyTorch")

from benchmarks.implementations import torch_training  # noqa: E402

Configure = Callable[..., Config]
TOLERANCE = 1e-5


def to_torch(values: jax.Array) -> Any:
    return torch.tensor(np.array(values))


def as_torch(params: dict[str, Any]) -> dict[str, Any]:
    """Our parameters under PyTorch's names; its second bias is zero."""
    named = {
        "embedding.weight": params["embedding"]["weight"],
        "hidden.weight": params["hidden"]["kernel"].T,
        "hidden.bias": params["hidden"]["bias"],
        "output.weight": params["output"]["weight"],
        "output.bias": params["output"]["bias"],
    }
    for index, layer in params["layers"].items():
        named[f"recurrence.weight_ih_l{index}"] = layer["input_kernel"].T
        named[f"recurrence.weight_hh_l{index}"] = layer["recurrent_kernel"].T
        named[f"recurrence.bias_ih_l{index}"] = layer["bias"]
        named[f"recurrence.bias_hh_l{index}"] = jnp.zeros_like(layer["bias"])
    return {name: to_torch(values) for name, values in named.items()}


def test_peer_trains_to_the_same_parameters_as_ours(configure: Configure) -> None:
    config = configure()
    ids = synthetic_text(config)[: 3 * 26]  # 5 windows, so that the text is read more than twice
    ours, peer = lm_training.Training(config, ids), torch_training.Training(config, ids)
    peer.model.load_state_dict(as_torch(ours.params))
    for index in range(config.model.layers):  # ours has no such bias
        getattr(peer.model.recurrence, f"bias_hh_l{index}").requires_grad_(False)
    for _ in range(4):
        assert peer.run(3) == pytest.approx(ours.run(3), rel=TOLERANCE)
    trained = peer.model.state_dict()
    for name, expected in as_torch(ours.params).items():
        np.testing.assert_allclose(trained[name], expected, atol=TOLERANCE, err_msg=name)


def test_sampled_loss_of_the_peer_equals_ours() -> None:
    vocab_size, generator = 60, np.random.default_rng(0)
    features, weight = generator.normal(size=(2, vocab_size, 7)).astype(np.float32)
    targets = generator.integers(0, vocab_size, vocab_size)
    ids, tries = np.arange(0, 40, 4), 13
    output = torch.nn.Linear(7, vocab_size)
    output.weight.data = torch.tensor(weight)
    peer = torch_training.sampled_softmax_loss(
        torch.tensor(features),
        output,
        torch.tensor(targets),
        log_uniform.Candidates(ids, tries),
    )
    bias = jnp.asarray(output.bias.detach().numpy())
    candidates = Candidates(jnp.asarray(ids), jnp.int32(tries))
    words = SampledOutputLayer.gather(
        jnp.asarray(weight), bias, targets=jnp.asarray(targets), candidates=candidates
    )
    ours = sampled_softmax_loss(features, words)
    assert peer.item() == pytest.approx(float(ours.mean()), rel=TOLERANCE)


def test_evaluation_of_the_peer_equals_ours(configure: Configure) -> None:
    config = configure("train.batch_size=1", "model.dropout=0.5")
    ids = synthetic_text(config)
    ours, peer = lm_training.Training(config, ids), torch_training.Training(config, ids)
    peer.model.load_state_dict(as_torch(ours.params))
    held_out = make_windows(ids[:43], config.train, room=42)
    sums = ours.functions.evaluate(ours.params, held_out)
    expected = mean_loss(sums, 43, config.train)
    assert peer.evaluate(ids[:43]) == pytest.approx(expected, rel=TOLERANCE)
    assert peer.model.training


def test_peer_drops_units_while_it_trains(configure: Configure) -> None:
    config = configure("model.dropout=0.5")
    peer = torch_training.Training(config, synthetic_text(config))
    inputs_tb, _ = peer._next_window()
    first, second = peer.model(inputs_tb, None)[0], peer.model(inputs_tb, None)[0]
    assert not torch.equal(first, second)
    peer.model.eval()
    assert torch.equal(peer.model(inputs_tb, None)[0], peer.model(inputs_tb, None)[0])


def test_what_the_peer_cannot_do_is_refused(configure: Configure) -> None:
    config = configure("optimizer=adam")
    with pytest.raises(UserError, match="optimizer=adam"):
        torch_training.Training(config, synthetic_text(config))
