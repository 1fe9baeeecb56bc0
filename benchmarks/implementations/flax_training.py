"""Training in Flax and Optax as they come: `nnx.RNN` around Flax's own cells.

Model, loss, clipping and update rule are those of `lm`, on the same ids. The step is one function
compiled by `jax.jit` over the parameters (no graph is walked while it trains), its state donated;
a loop in Python calls it, and waits only at the end. Two differences in what is computed: Flax's
GRU has no bias inside the reset gate's product, and the candidates are drawn on the host.

Shapes: T time, B batch, V vocabulary, D features, N = T B targets, S candidates.
"""

from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from numpy.typing import NDArray

from benchmarks.implementations.jax_memory import gpu_bytes
from benchmarks.implementations.log_uniform import LogUniform
from benchmarks.implementations.supported import check_supported
from lm.config import Config, ModelConfig, momentum_of

CELLS = {"rnn": nnx.SimpleCell, "gru": nnx.GRUCell, "lstm": nnx.OptimizedLSTMCell}

Carry: TypeAlias = Any
"""Carry of a Flax cell: an array [B, H], or two of them."""


class LanguageModel(nnx.Module):
    """Embedding -> stacked recurrence -> tanh hidden layer -> softmax."""

    def __init__(self, config: ModelConfig, vocab_size: int, *, rngs: nnx.Rngs) -> None:
        self.embedding = nnx.Embed(vocab_size, config.embed_size, rngs=rngs)
        sizes = [config.embed_size] + [config.rnn_size] * (config.layers - 1)
        cells = [CELLS[config.cell](size, config.rnn_size, rngs=rngs) for size in sizes]
        self.layers = nnx.List(
            [nnx.RNN(cell, time_major=True, return_carry=True, rngs=False) for cell in cells]
        )
        self.dropout = nnx.Dropout(config.dropout)
        features, hidden = config.rnn_size, None
        if config.hidden_size is not None:
            features = config.hidden_size
            hidden = nnx.Linear(config.rnn_size, features, rngs=rngs)
        self.hidden = nnx.data(hidden)
        self.output = nnx.Embed(vocab_size, features, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(vocab_size))

    def __call__(self, ids_tb: Array, carries: list[Carry], key: Array) -> tuple[Array, Any]:
        """Read words; returns features for the softmax [N, D], and the carries after the last."""
        rngs = nnx.Rngs(dropout=key)
        x = self.dropout(self.embedding(ids_tb), rngs=rngs)
        after = []
        for layer, carry in zip(self.layers, carries, strict=True):
            carry, x = layer(x, initial_carry=carry)
            after.append(carry)
            x = self.dropout(x, rngs=rngs)
        x = x.reshape(-1, x.shape[-1])
        return x if self.hidden is None else jnp.tanh(self.hidden(x)), after


class State(NamedTuple):
    """Everything that a step changes."""

    params: Any
    optimizer: optax.OptState
    carries: list[Carry]
    step: Array


class Candidates(NamedTuple):
    """Candidates of a sampled loss, shared by a batch."""

    ids: NDArray[np.int32]
    """[S]."""
    tries: NDArray[np.float32]
    """[]: draws it took."""


def softmax_loss(model: LanguageModel, features: Array, targets: Array) -> Array:
    """Mean cross entropy over all words."""
    logits_nv = model.output.attend(features) + model.bias[None, :]
    losses: Array = optax.softmax_cross_entropy_with_integer_labels(logits_nv, targets)
    return losses.mean()


def sampled_softmax_loss(
    model: LanguageModel, features: Array, targets: Array, drawn: Candidates
) -> Array:
    """Mean cross entropy of each target among itself and the candidates (Jean et al. 2015)."""
    vocab_size, count = model.output.num_embeddings, len(targets)
    rows = jnp.concatenate([targets, drawn.ids])
    p = jnp.log1p(1 / (rows + 1.0)) / np.log1p(vocab_size)
    expected = jnp.where(
        drawn.tries == len(drawn.ids), drawn.tries * p, -jnp.expm1(drawn.tries * jnp.log1p(-p))
    )
    offset = model.bias[rows] - jnp.log(expected)
    weight = model.output(rows)
    true_n = (features * weight[:count]).sum(1) + offset[:count]
    sampled_ns = features @ weight[count:].T + offset[None, count:]
    hits_ns = targets[:, None] == drawn.ids[None, :]
    sampled_ns = jnp.where(hits_ns, float(np.finfo(np.float32).min), sampled_ns)
    logits = jnp.concatenate([true_n[:, None], sampled_ns], axis=1)
    return (jax.nn.logsumexp(logits, axis=1) - true_n).mean()


class Training:
    """Trains one configuration on a text; its state goes on from call to call."""

    def __init__(self, config: Config, ids: NDArray[np.int32]) -> None:
        """Build the model.

        Raises:
          UserError: the configuration has no counterpart here.
        """
        check_supported(config)
        vocab_size, train = config.data.vocab_size, config.train
        assert vocab_size is not None
        self.config = config
        self.sampler = LogUniform(config.loss.samples, vocab_size)
        clip = optax.clip_by_global_norm(train.clip_norm) if train.clip_norm else optax.identity()
        rate, momentum = config.optimizer.learning_rate, momentum_of(config.optimizer)
        self.rule = optax.chain(clip, optax.sgd(rate, momentum or None))
        model = LanguageModel(config.model, vocab_size, rngs=nnx.Rngs(0))
        self.graph, params = nnx.split(model, nnx.Param)
        self.zero_carries = [
            layer.cell.initialize_carry((train.batch_size, 1), nnx.Rngs(0))
            for layer in model.layers
        ]
        carries = jax.tree.map(jnp.copy, self.zero_carries)  # what goes in is donated
        self.state = State(params, self.rule.init(params), carries, jnp.int32(0))
        self.step = jax.jit(self._step, donate_argnums=0)
        length = len(ids) // train.batch_size
        self.streams_lb = np.ascontiguousarray(
            ids[: length * train.batch_size].reshape(train.batch_size, length).T
        )
        self.position = 0

    def run(self, steps: int) -> float:
        """Take a number of steps; returns their mean loss, in nats per word."""
        losses = []
        for _ in range(steps):
            inputs_tb, targets = self._next_window()
            self.state, loss = self.step(self.state, inputs_tb, targets, self._draw())
            losses.append(loss)
        return float(np.mean(jax.device_get(losses)))

    def flush(self) -> None:
        """Do nothing: every step updates all rows."""

    def device_bytes(self) -> int | None:
        """Most memory in use on the GPU so far; None on the CPU."""
        return gpu_bytes()

    def _next_window(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        length = self.config.train.sequence_length
        if self.position + length >= len(self.streams_lb):
            self.position = 0
            self.state = self.state._replace(carries=jax.tree.map(jnp.copy, self.zero_carries))
        window = self.streams_lb[self.position : self.position + length + 1]
        self.position += length
        return window[:-1], window[1:].reshape(-1)

    def _draw(self) -> Candidates | None:
        if self.config.loss.kind == "softmax":
            return None
        candidates = self.sampler.draw()
        return Candidates(candidates.ids.astype(np.int32), np.array(candidates.tries, np.float32))

    def _step(
        self, state: State, inputs_tb: Array, targets: Array, drawn: Candidates | None
    ) -> tuple[State, Array]:
        key = jax.random.fold_in(jax.random.key(self.config.seed), state.step)
        loss_and_grad = jax.value_and_grad(
            partial(self._loss, inputs_tb, targets, drawn, key), has_aux=True
        )
        (loss, carries), grads = loss_and_grad(state.params, state.carries)
        updates, optimizer = self.rule.update(grads, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        return State(params, optimizer, carries, state.step + 1), loss

    def _loss(
        self,
        inputs_tb: Array,
        targets: Array,
        drawn: Candidates | None,
        key: Array,
        params: Any,
        carries: list[Carry],
    ) -> tuple[Array, list[Carry]]:
        model = nnx.merge(self.graph, params)
        features, carries = model(inputs_tb, carries, key)
        if drawn is None:
            return softmax_loss(model, features, targets), carries
        return sampled_softmax_loss(model, features, targets, drawn), carries
