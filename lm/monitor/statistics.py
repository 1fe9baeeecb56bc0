"""Statistics of a step: activations, parameters, gradients, their norms and histograms.

The batch of the next step is read once more than training does, in a program of its own, and the
training state is left as it is. So training computes the same bits with statistics and without, and
a step without them costs nothing. From a GPU only counts and a few numbers are fetched. On a CPU
NumPy computes all of it, where that is little work, since nothing has to be compiled then.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lm.backend.execution import SeldomFunction
from lm.model.dropout import DropoutMasks
from lm.model.language_model import Activations, LanguageModel
from lm.model.recurrence import run_cell_with_residuals
from lm.model.scan_vjp import CELL_VJPS, Residuals
from lm.model.types import Carry, Params, is_tied
from lm.monitor.histograms import HistogramCounts, linear_histograms, log_histograms, to_histograms
from lm.optim.optimizer import Hyperparameters, build_optimizer
from lm.training.functions import CompiledFunctions
from lm.training.multi_step import next_step_inputs
from lm.training.randomness import StepRandomness
from lm.training.state import StepSpec, TrainState
from lm.training.step import StepBatch, batch_loss
from lm.training.trainer import Trainer
from sweeps.tensorboard import Histogram

SATURATION_THRESHOLD = 0.97
"""Magnitude from which a tanh counts as saturated: it hardly passes a gradient on. A sigmoid counts
alike, scaled to [-1, 1]."""


def summarizes_on_device() -> bool:
    """Return whether statistics are computed on the device.

    On a CPU NumPy computes them, which needs no compilation.
    """
    return jax.default_backend() != "cpu"


class StepTensors(NamedTuple):
    """Tensors of a step; arrays of JAX or of NumPy."""

    activations: dict[str, Array]
    params: Params
    gradients: dict[str, Array]
    update_norms: dict[str, Array]


class StepStatistics(NamedTuple):
    """Statistics of a step; keys are TensorBoard tags."""

    numbers: dict[str, Array]
    histograms: tuple[HistogramCounts, ...]


def collect(
    spec: StepSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
) -> StepTensors:
    """Compute the tensors of the next step without taking it.

    Args:
      spec: of the compiled functions.
      state, hyperparams, streams_lb, randomness: as `lm.training.multi_step.next_step_inputs`
      takes them.
    """
    hyperparams = hyperparams.at_update(state.step)
    state, batch = next_step_inputs(spec, state, hyperparams, streams_lb, randomness)
    loss_fn = partial(batch_loss, spec, hyperparams, forward=_forward_with_activations)
    grads, (_, seen) = jax.grad(loss_fn, has_aux=True)(state.params, state.carry, batch)
    optimizer = build_optimizer(spec.optimizer, hyperparams)
    updates, _ = optimizer.update(grads, state.opt_state, state.params)
    return StepTensors(
        seen,
        state.params,
        dict(_gradients(spec, grads, batch)),
        _norms("update_norm", updates),
    )


def summarize(tensors: StepTensors) -> StepStatistics:
    """Summarize the tensors of a step, in JAX or in NumPy, whichever has the arrays."""
    numbers = _saturations(tensors.activations)
    with np.errstate(over="ignore"):
        numbers |= _norms("param_norm", tensors.params) | tensors.update_norms
    weights = {f"within_parameters/{name}": x for name, x in _arrays(tensors.params)}
    for name, x in tensors.activations.items():
        weights[f"within_activations/{name}"] = x
    return StepStatistics(numbers, (linear_histograms(weights), log_histograms(tensors.gradients)))


def collect_statistics(
    spec: StepSpec,
    state: TrainState,
    hyperparams: Hyperparameters,
    streams_lb: Array,
    randomness: StepRandomness,
) -> StepStatistics:
    """Compute the tensors of the next step and summarize them on the device."""
    return summarize(collect(spec, state, hyperparams, streams_lb, randomness))


@lru_cache(maxsize=8)
def compile_statistics(functions: CompiledFunctions) -> SeldomFunction:
    """Make the function of a step's statistics, once for all trials that share compiled functions.

    It takes what `Trainer.next_step` gives, and gives `StepStatistics`, or `StepTensors` where they
    are yet to be summarized.
    """
    function = collect_statistics if summarizes_on_device() else collect
    return functions.seldom_beside(function, recurrence="scan")


def prepare_statistics(trainer: Trainer, state: TrainState) -> None:
    """Compile the statistics of a step, where they are compiled."""
    compile_statistics(trainer.functions).prepare(*trainer.next_step(state, 0))


def step_statistics(trainer: Trainer, state: TrainState, step: int) -> StepStatistics:
    """Look at what update `step` is about to do; gives statistics on the host."""
    seen = compile_statistics(trainer.functions)(*trainer.next_step(state, step))
    found: StepStatistics | StepTensors = jax.device_get(seen)
    return summarize(found) if isinstance(found, StepTensors) else found


def _forward_with_activations(
    model: LanguageModel, ids_tb: Array, carries: tuple[Carry, ...], dropout: DropoutMasks
) -> tuple[Activations, dict[str, Array]]:
    """Have the model read; returns its activations, and by name all that are recorded."""
    layers: list[dict[str, Array]] = []

    def run_cell(cell: Any, carry: Carry, x_tbe: Array) -> tuple[Carry, Array]:
        carry, outputs, residuals = run_cell_with_residuals(cell, carry, x_tbe)
        names = CELL_VJPS[type(cell)].residual_names
        layers.append(_layer_activations(names, outputs, residuals))
        return carry, outputs

    activations, _ = model.activations(ids_tb, carries, dropout, run_cell)
    recorded = {"embed_out": activations.embeddings}
    for number, layer in enumerate(layers, 1):
        recorded |= {f"layer_{number}/{name}": x for name, x in layer.items()}
    if model.hidden is not None:
        recorded["hid_out"] = activations.features
    return activations, recorded


def _layer_activations(
    names: tuple[str, ...], outputs: Array, residuals: Residuals
) -> dict[str, Array]:
    """Outputs, gates and cell states of a layer, [T, B, H] each."""
    parts = jnp.split(residuals.steps, max(len(names), 1), axis=-1)
    found = {"out": outputs, **dict(zip(names, parts, strict=False))}
    for cell_state in residuals.after[1:]:
        found |= {"cell_state": cell_state, "cell_out": jnp.tanh(cell_state)}
    return found


def _saturations(activations: Mapping[str, Array]) -> dict[str, Array]:
    """Share of saturated units of each tanh and gate."""
    gated = any(name.endswith("_gate") for name in activations)
    found = {}
    for name, x in activations.items():
        what = name.rpartition("/")[2]
        if what.endswith("_gate"):
            x = 2 * x - 1
        elif what not in ("candidate", "cell_out", "hid_out") and (gated or what != "out"):
            continue  # no tanh: an output of gru and lstm is one times a gate
        found[f"within/saturation/{name}"] = (abs(x) > SATURATION_THRESHOLD).mean(dtype=np.float32)
    return found


def _layers(tree: Params) -> Iterator[tuple[str, Any]]:
    """Layers and their arrays, in the order of the model."""
    yield "embedding", tree["embedding"]
    for index, layer in sorted(tree["layers"].items()):
        yield f"layer_{index + 1}", layer
    if tree.get("hidden"):
        yield "hidden", tree["hidden"]
    yield "output", tree["output"]


def _arrays(tree: Params) -> Iterator[tuple[str, Array]]:
    for layer, arrays in _layers(tree):
        for name, x in arrays.items():
            yield f"{layer}/{name}", x


def _norms(what: str, tree: Params) -> dict[str, Array]:
    squares = {
        layer: sum((x * x).sum() for x in arrays.values()) for layer, arrays in _layers(tree)
    }
    return {f"within/{what}/{layer}": square**0.5 for layer, square in squares.items()}


def _gradients(spec: StepSpec, grads: Params, batch: StepBatch) -> Iterator[tuple[str, Array]]:
    """Gradients by name. Of tables only the rows that the loss depends on, each once.

    Rows of a repeated word are NaN, so that they are not counted again.
    """
    words = batch.touched_words(grads) | {"output": batch.output_rows}
    if batch.candidates is None:  # the full softmax depends on every row that it compares with
        words = {} if is_tied(grads) else {"embedding": words["embedding"]}
    once = {name: _each_once(ids, spec.vocab_size) for name, ids in words.items()}
    for name, x in _arrays(grads):
        if (ids := once.get(name.partition("/")[0])) is not None:
            x = x.at[ids].get(mode="fill", fill_value=jnp.nan)
        yield f"within_gradients/{name}", x


def _each_once(ids: Array, size: int) -> Array:
    """Replace all but the first occurrence of each word by `size`, an id that no word has."""
    places = jnp.arange(len(ids), dtype=jnp.int32)
    first = jnp.full(size, len(ids), jnp.int32).at[ids].min(places)
    return jnp.where(first[ids] == places, ids, size)


def report_values(statistics: StepStatistics) -> tuple[dict[str, float], dict[str, Histogram]]:
    """Turn statistics on the host into numbers and histograms for a report."""
    numbers = {tag: float(np.asarray(value)) for tag, value in statistics.numbers.items()}
    return numbers, {tag: one for part in statistics.histograms for tag, one in to_histograms(part)}
