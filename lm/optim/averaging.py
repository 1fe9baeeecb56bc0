"""Averaged parameters, begun once validation stalls: NT-ASGD (Merity et al. 2018, section 3).

Arrays may have a first axis of lanes where that is said.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lm.model.types import Params


class TriggerState(NamedTuple):
    """Validation losses so far, in nats per token."""

    recent: Array
    """f32[patience]: of the latest epochs, the last one at the end; infinity where none was."""
    best: Array
    """f32[]: the lowest of those before them; infinity where none was."""
    begun: Array
    """bool[]: whether averaging has."""


class Average(NamedTuple):
    """The mean of the parameters after each update since averaging began."""

    mean: Params
    """Zeros before the first of these updates."""
    updates: Array
    """i32[]: how many they are."""
    history: TriggerState


def init_average(params: Params, patience: int) -> Average:
    """Before the first update."""
    recent = jnp.full(patience, jnp.inf, jnp.float32)
    history = TriggerState(recent, jnp.float32(jnp.inf), jnp.bool_(False))
    return Average(jax.tree.map(jnp.zeros_like, params), jnp.int32(0), history)


def update_average(average: Average, params: Params) -> Average:
    """Take the parameters after an update into the mean, once averaging has begun."""
    begun = average.history.begun
    updates = average.updates + begun
    share = jnp.where(begun, 1 / jnp.maximum(updates, 1), 0.0)
    mean = jax.tree.map(lambda mean, now: mean + share * (now - mean), average.mean, params)
    return average._replace(mean=mean, updates=updates)


@jax.jit
def update_trigger(history: TriggerState, loss: Array, due: Array) -> TriggerState:
    """Take an epoch's validation loss into the history; averaging begins where it is higher than
    the lowest of all epochs that lie more than `patience` epochs back.

    This is the criterion of the authors' program (github.com/salesforce/awd-lstm-lm, main.py).

    Args:
      history: before; its arrays may have a first axis of lanes.
      loss: f32[] or f32[lanes].
      due: bool, of that shape; where it is false nothing changes.
    """
    losses = jnp.concatenate([history.recent, loss[..., None]], axis=-1)
    best = jnp.minimum(history.best, losses[..., 0])
    return TriggerState(
        jnp.where(due[..., None], losses[..., 1:], history.recent),
        jnp.where(due, best, history.best),
        history.begun | (due & (loss > history.best)),
    )


@jax.jit
def averaged_params(average: Average, params: Params) -> Params:
    """The mean, where there is one; else the parameters. All may have a first axis of lanes."""

    def choose(mean: Array, now: Array) -> Array:
        lanes = average.updates.shape
        there = (average.updates > 0).reshape(*lanes, *(1 for _ in now.shape[len(lanes) :]))
        return jnp.where(jnp.broadcast_to(there, now.shape), mean, now)

    chosen: Params = jax.tree.map(choose, average.mean, params)
    return chosen


def averaged_updates(average: Average | None, lane: int | tuple[()] = ()) -> dict[str, float]:
    """Metrics of averaging for an epoch's report, by tag; empty without averaging."""
    if average is None:
        return {}
    return {"train/averaged_updates": float(jax.device_get(average.updates)[lane])}
