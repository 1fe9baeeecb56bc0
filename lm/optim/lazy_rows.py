"""Row-sparse updates: of tables of which a step touches few rows, only these are read and written.

With a sampled loss an update depends on few words: those that are read, the targets and the
candidates. The gradient of all other rows of the embedding and of the output layer is zero, and
what momentum and rmsprop do to a row without a gradient has a closed form (`missed_updates`). So a
step gathers the rows that it touches, brings them up to date, updates them and scatters them back,
at a cost that does not grow with the vocabulary. The others fall behind until they are touched
next, or until all are flushed: at the end of an epoch, and before a hyperparameter changes, since
the closed form holds for constant ones. The result is that of updating every row in every step, but
for rounding.

`LazyRows` does so. `DenseRows` is the plain form with the same methods, which updates every row in
every step; tests compare the two. Adam has no such closed form, since its denominator changes from
step to step: it updates all rows, and so does every other rule. So does any rule with weight decay,
with averages of the parameters, or with a learning rate that changes at each update. A step of the
lazy form stays as fast as the vocabulary grows (benchmarks/RESULTS.md).

V vocabulary, N words that a step touches, words that occur several times included.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from lm.config import (
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    RMSPropConfig,
    TrainConfig,
    varies_by_update,
)
from lm.config.sizes import feature_size, num_parameters
from lm.model.types import TABLES, Params
from lm.optim.optimizer import Hyperparameters

LastUpdated = dict[str, Array]
"""By table, the number of updates that each row has had, i32[V]; empty where all rows are always up
to date."""

TouchedWords = Callable[[Params], dict[str, Array]]
"""Parameters -> by table, i32[N]: the words whose rows a batch needs."""

_MARK = -(2**30)
"""Below every count of updates."""


class Tables(NamedTuple):
    """Parameters and optimizer state, with all rows of the tables or with some."""

    params: Params
    opt_state: optax.OptState
    last_updated: LastUpdated


class RowIndex(NamedTuple):
    """Where the gathered rows of a table come from, and where they are."""

    ids: Array
    """i32[N]: the words, in the order in which they were asked for."""
    position: Array
    """i32[N]: which of the N gathered rows stands for each; that of a repeated word's first."""


class DenseRows:
    """Updates every row in every step."""

    def init_last_updated(self, vocab_size: int) -> LastUpdated:
        """Counts before the first update: none are kept."""
        return {}

    def gather(
        self, tables: Tables, hyperparams: Hyperparameters, step: Array, touched: TouchedWords
    ) -> tuple[Tables, dict[str, RowIndex]]:
        """Give the tables themselves, and no index."""
        return tables, {}

    def scatter(self, tables: Tables, rows: Tables, index: dict[str, RowIndex]) -> Tables:
        """Give the rows themselves, which are whole tables."""
        return rows

    def flush(self, tables: Tables, hyperparams: Hyperparameters, step: Array) -> Tables:
        """Give the tables themselves, for no row lags behind."""
        return tables


class LazyRows(NamedTuple):
    """Updates the rows that a step touches, and the others when they are needed."""

    optimizer: OptimizerConfig

    def init_last_updated(self, vocab_size: int) -> LastUpdated:
        """Counts before the first update: zero for each row."""
        return {name: jnp.zeros(vocab_size, jnp.int32) for name in TABLES}

    def gather(
        self, tables: Tables, hyperparams: Hyperparameters, step: Array, touched: TouchedWords
    ) -> tuple[Tables, dict[str, RowIndex]]:
        """Take the rows that a batch touches, brought up to date, in place of the tables.

        Args:
          tables: with all rows.
          hyperparams: unchanged since the rows were last flushed.
          step: i32[], the number of updates that an up-to-date row has had.
          touched: gives the words of the batch.

        Returns:
          Tables of N rows, whose `last_updated` still counts all rows, as it is after one more
          update of the gathered ones; and where these rows are.
        """
        ids = touched(tables.params)
        last_updated, index, missed = dict(tables.last_updated), {}, {}
        for name, words in ids.items():
            count = last_updated[name]
            missed[name] = step - count[words]
            # A repeated word is its first row, so that the result does not depend on the order in
            # which a device writes.
            marked = count.at[words].min(_MARK + jnp.arange(len(words), dtype=jnp.int32))
            index[name] = RowIndex(ids=words, position=marked[words] - _MARK)
            last_updated[name] = marked.at[words].set(step + 1)
        found = (tables.params, tables.opt_state)
        params, opt_state = _on_tables(lambda name, table: table[ids[name]], found)
        params, opt_state = self._apply_missed_updates(hyperparams, params, opt_state, missed)
        return Tables(params=params, opt_state=opt_state, last_updated=last_updated), index

    def scatter(self, tables: Tables, rows: Tables, index: dict[str, RowIndex]) -> Tables:
        """Write gathered rows back into the tables, each word's once; all other arrays are those of
        `rows`.

        Args:
          tables: with all rows, before they were gathered.
          rows: the gathered rows, updated.
          index: where they are.
        """

        def write(name: str, rows: Array, table: Array) -> Array:
            ids, position = index[name]
            first = position == jnp.arange(len(ids), dtype=jnp.int32)
            return table.at[jnp.where(first, ids, len(table))].set(rows, mode="drop")

        before, after = (tables.params, tables.opt_state), (rows.params, rows.opt_state)
        params, opt_state = _on_tables(write, after, before)
        return Tables(params=params, opt_state=opt_state, last_updated=rows.last_updated)

    def flush(self, tables: Tables, hyperparams: Hyperparameters, step: Array) -> Tables:
        """Bring every row up to date.

        Args:
          tables: with all rows.
          hyperparams: unchanged since the rows were last flushed.
          step: i32[], the number of updates that an up-to-date row has had; with 0 nothing changes.
        """
        counts = tables.last_updated.items()
        missed = {name: jnp.maximum(step - count, 0) for name, count in counts}
        params, opt_state = self._apply_missed_updates(
            hyperparams, tables.params, tables.opt_state, missed
        )
        last_updated = {name: jnp.maximum(count, step) for name, count in counts}
        return Tables(params=params, opt_state=opt_state, last_updated=last_updated)

    def _apply_missed_updates(
        self,
        hyperparams: Hyperparameters,
        params: Params,
        opt_state: optax.OptState,
        missed: dict[str, Array],
    ) -> tuple[Params, optax.OptState]:
        """Do to each row what the updates that it missed would have done."""
        effects = {
            name: missed_updates(self.optimizer, hyperparams, count)
            for name, count in missed.items()
        }
        trace = optax.tree.get(opt_state, "trace")

        def moved(name: str, weight: Array, trace: Array) -> Array:
            return weight - _column(effects[name].distance, weight) * trace

        params = _on_tables(moved, params, trace)
        states = {"trace": _decayed(trace, {name: one.trace for name, one in effects.items()})}
        if (square := optax.tree.get(opt_state, "nu")) is not None:
            states["nu"] = _decayed(square, {name: one.square for name, one in effects.items()})
        return params, optax.tree.set(opt_state, **states)


RowUpdates = DenseRows | LazyRows


def row_updates(loss: LossConfig, optimizer: OptimizerConfig) -> RowUpdates:
    """The form of update that a configuration takes: lazy wherever that gives the same result."""
    return LazyRows(optimizer) if supports_lazy_rows(loss, optimizer) else DenseRows()


def supports_lazy_rows(loss: LossConfig, optimizer: OptimizerConfig) -> bool:
    """Whether a step touches few rows, and the others can be brought up to date later."""
    closed = optimizer.kind in ("momentum", "rmsprop") and optimizer.weight_decay == 0
    closed &= not varies_by_update(optimizer)
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
    read = train.streams * train.sequence_length
    compared = (read if train.predict == "all" else train.streams) + loss.samples
    width = feature_size(model) + 1
    vectors = width if model.tie_weights else model.embed_size
    return num_parameters(model, vocab_size=0) + read * vectors + compared * width


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
    """Closed-form effect of k updates without a gradient on a row; arrays of k's shape."""

    distance: Array
    """The row moves by this multiple of its trace, against it."""
    trace: Array
    """Factor of the trace, momentum's accumulated gradient."""
    square: Array
    """Factor of rmsprop's mean square."""


def missed_updates(
    config: OptimizerConfig, hyperparams: Hyperparameters, updates: Array
) -> MissedUpdates:
    """Effect of `updates` updates (i32, any shape) in which a row's gradient is zero.

    With momentum m and learning rate r each multiplies the trace by m and then takes r times it
    from the row: r (m + m^2 + ... + m^k) = r m (1 - m^k) / (1 - m) after k of them. It holds for
    momentum and rmsprop, whose step is zero where the gradient is; not for adam.
    """
    count = updates.astype(jnp.float32)
    kept = hyperparams.momentum**count
    distance = (
        hyperparams.learning_rate * hyperparams.momentum * (1 - kept) / (1 - hyperparams.momentum)
    )
    square = jnp.float32(config.smoothing if isinstance(config, RMSPropConfig) else 1.0) ** count
    return MissedUpdates(distance=distance, trace=kept, square=square)
