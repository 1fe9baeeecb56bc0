"""Tables of which a step touches few rows: only those are read, updated and written.

With a sampled loss an update depends on few words: those that were read, the targets and the
candidates. The gradient of all other rows of the embedding and of the softmax is zero, and what
momentum and rmsprop do to a row without a gradient has a closed form
(`lm.optim.lazy_rows.missed_updates`). So a step borrows the rows that it touches, brings them
up to date, updates them and gives them back, at a cost that does not grow with the vocabulary. The
others fall behind until they are touched next, or until all are settled: at the end of an epoch,
and before a hyperparameter changes, as the closed form holds for constant ones. The result is that
of updating every row in every step, but for rounding.

Adam has no such closed form, since its denominator changes from step to step: it updates all rows.
So does any rule with weight decay, or with averages of the parameters.

V vocabulary, N words that a step touches, words that occur several times included.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lm.config.schema import LossConfig, ModelConfig, OptimizerConfig, RMSPropConfig, TrainConfig
from lm.config.sizes import feature_size, num_parameters
from lm.model.types import TABLES, Params
from lm.optim.optimizer import Hyperparameters

LastUpdated = dict[str, Array]
"""Updates that each row of a table has had, i32[V]; empty where all rows are always up to date."""


_MARK = -(2**30)
"""Below every count of updates."""


class ParamsAndOptState(NamedTuple):
    """Parameters and their optimizer's state; in both, the tables have all rows or some."""

    params: Params
    optimizer: optax.OptState


class RowIndex(NamedTuple):
    """Where borrowed rows stand, and where they come from."""

    ids: Array
    """i32[N]: the words, as they were asked for."""
    place: Array
    """i32[N]: which of the N borrowed rows stands for each; a repeated word's first."""


def supports_lazy_rows(loss: LossConfig, optimizer: OptimizerConfig) -> bool:
    """Whether a step touches few rows, and the others can be brought up to date later."""
    closed = optimizer.kind in ("momentum", "rmsprop") and optimizer.weight_decay == 0
    return loss.kind != "softmax" and closed and optimizer.average_patience is None


def gradient_size(
    model: ModelConfig,
    loss: LossConfig,
    optimizer: OptimizerConfig,
    train: TrainConfig,
    vocab_size: int,
) -> int:
    """Numbers in a step's gradient: in the tables', of all rows or of those that it touches."""
    if not supports_lazy_rows(loss, optimizer):
        return num_parameters(model, vocab_size)
    read = train.batch_size * train.sequence_length
    compared = (read if train.predict == "all" else train.batch_size) + loss.samples
    width = feature_size(model) + 1
    vectors = width if model.tie_weights else model.embed_size
    return num_parameters(model, vocab_size=0) + read * vectors + compared * width


def init_last_updated(vocab_size: int) -> LastUpdated:
    """The counts before the first update."""
    return {name: jnp.zeros(vocab_size, jnp.int32) for name in TABLES}


def gather_rows(
    config: OptimizerConfig,
    hyperparams: Hyperparameters,
    tables: ParamsAndOptState,
    updates: LastUpdated,
    step: Array,
    ids: dict[str, Array],
) -> tuple[ParamsAndOptState, LastUpdated, dict[str, RowIndex]]:
    """Take the rows of some words, brought up to date, in place of the tables.

    Args:
      config: the update rule.
      hyperparams: hyperparameters since the rows were last settled.
      tables: with all rows.
      updates: that each row has had.
      step: i32[], updates that an up-to-date row has had.
      ids: i32[N], the words, for each table.

    Returns:
      Tables of N rows; the counts as they are after one more update of these rows; and where the
      rows stand.
    """
    updates, places, missed = dict(updates), {}, {}
    for name, words in ids.items():
        count = updates[name]
        missed[name] = step - count[words]
        # Each word's first place wins, so that the result does not hang on the order of writes.
        marked = count.at[words].min(_MARK + jnp.arange(len(words), dtype=jnp.int32))
        places[name] = RowIndex(words, marked[words] - _MARK)
        updates[name] = marked.at[words].set(step + 1)
    rows = _on_tables(lambda name, table: table[ids[name]], tables)
    return _apply_missed_updates(config, hyperparams, rows, missed), updates, places


def scatter_rows(
    tables: ParamsAndOptState, rows: ParamsAndOptState, places: dict[str, RowIndex]
) -> ParamsAndOptState:
    """Write borrowed rows into the tables, each word's once; all other arrays are those of `rows`.

    Args:
      tables: as they were before the rows were borrowed.
      rows: as they are now.
      places: where they stand.
    """

    def write(name: str, rows: Array, table: Array) -> Array:
        ids, place = places[name]
        first = place == jnp.arange(len(ids), dtype=jnp.int32)
        return table.at[jnp.where(first, ids, len(table))].set(rows, mode="drop")

    given_back: ParamsAndOptState = _on_tables(write, rows, tables)
    return given_back


def flush_rows(
    config: OptimizerConfig,
    hyperparams: Hyperparameters,
    tables: ParamsAndOptState,
    updates: LastUpdated,
    step: Array,
) -> tuple[ParamsAndOptState, LastUpdated]:
    """Bring every row up to date; arguments as in `gather_rows`. With a step of 0 nothing
    changes."""
    missed = {name: jnp.maximum(step - count, 0) for name, count in updates.items()}
    now = {name: jnp.maximum(count, step) for name, count in updates.items()}
    return _apply_missed_updates(config, hyperparams, tables, missed), now


def _apply_missed_updates(
    config: OptimizerConfig,
    hyperparams: Hyperparameters,
    tables: ParamsAndOptState,
    missed: dict[str, Array],
) -> ParamsAndOptState:
    """Do to each row what the updates that it missed would have done."""
    params, optimizer = tables
    effects = {name: missed_updates(config, hyperparams, count) for name, count in missed.items()}
    velocity = optax.tree.get(optimizer, "trace")

    def moved(name: str, weight: Array, velocity: Array) -> Array:
        distance = _column(effects[name].distance, weight)
        return weight - distance * velocity

    params = _on_tables(moved, params, velocity)
    states = {"trace": _decayed(velocity, {name: one.velocity for name, one in effects.items()})}
    if (square := optax.tree.get(optimizer, "nu")) is not None:
        states["nu"] = _decayed(square, {name: one.square for name, one in effects.items()})
    return ParamsAndOptState(params, optax.tree.set(optimizer, **states))


def _decayed(state: Any, factors: dict[str, Array]) -> Any:
    return _on_tables(lambda name, rows: rows * _column(factors[name], rows), state)


def _column(of_rows: Array, like: Array) -> Array:
    """One number a row, to be multiplied with rows of any width."""
    return of_rows.reshape(-1, *(1 for _ in like.shape[1:]))


def _on_tables(change: Callable[..., Array], tree: Any, *others: Any) -> Any:
    """Change each array of each table, wherever in a tree parameters or what mirrors them stand."""

    def is_params(node: Any) -> bool:
        return isinstance(node, dict) and set(TABLES) <= set(node)

    def on_params(node: Any, *others: Any) -> Any:
        if not is_params(node):
            return node
        tables = {
            name: jax.tree.map(partial(change, name), node[name], *(one[name] for one in others))
            for name in TABLES
        }
        return {**node, **tables}

    return jax.tree.map(on_params, tree, *others, is_leaf=is_params)


class MissedUpdates(NamedTuple):
    """What updates without a gradient do to a row: factors, the shape of their number."""

    distance: Array
    """The row moves by so many velocities, against them."""
    velocity: Array
    square: Array
    """Of rmsprop's mean square."""


def missed_updates(
    config: OptimizerConfig, hyperparams: Hyperparameters, updates: Array
) -> MissedUpdates:
    """The effect of `updates` updates (i32) in which a row's gradient is zero.

    With momentum m and learning rate r each multiplies the velocity by m and then takes r times it
    from the row: r (m + m^2 + ... + m^k) = r m (1 - m^k) / (1 - m) after k of them. It holds for
    momentum and rmsprop, whose step is zero where the gradient is; not for adam.
    """
    count = updates.astype(jnp.float32)
    kept = hyperparams.momentum**count
    distance = (
        hyperparams.learning_rate * hyperparams.momentum * (1 - kept) / (1 - hyperparams.momentum)
    )
    square = jnp.float32(config.smoothing if isinstance(config, RMSPropConfig) else 1.0) ** count
    return MissedUpdates(distance, kept, square)
