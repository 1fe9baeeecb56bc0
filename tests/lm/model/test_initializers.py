"""How parameters start: JAX's own numbers, and nothing compiled for their shapes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn.initializers import variance_scaling

from lm.backend.compile_cache import CompilationStats
from lm.config import InitializerConfig, parse_config
from lm.model.block_random import BLOCK_SIZE
from lm.model.initializers import init_scales, matrix_initializer, uniform
from lm.optim.averaging import init_average
from lm.optim.optimizer import build_optimizer, zero_hyperparameters
from lm.training.functions import build_functions, make_static_config

Compose = Callable[..., dict[str, Any]]

SHAPES = [(1, 1), (3, 5), (1, BLOCK_SIZE), (7, BLOCK_SIZE // 4 + 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_embeddings_are_jaxs_uniform_numbers(shape: tuple[int, ...]) -> None:
    key = jax.random.key(3)
    expected = jax.random.uniform(key, shape, jnp.float32, -0.3, 0.3)
    np.testing.assert_array_equal(uniform(0.3)(key, shape), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axis", [-1, -2])
def test_matrices_are_jaxs_variance_scaling(shape: tuple[int, ...], axis: int) -> None:
    key, config = jax.random.key(3), InitializerConfig("variance_scaling", 1.7)
    jaxs = variance_scaling(1.7, "fan_in", "truncated_normal", in_axis=axis, out_axis=-3 - axis)
    expected = jax.jit(jaxs, static_argnums=1)(key, shape)
    found = matrix_initializer(config, config.scale, axis)(key, shape)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_traced_they_are_the_same() -> None:
    key, draw = jax.random.key(3), uniform(0.3)
    traced = jax.jit(lambda key: draw(key, (2, BLOCK_SIZE)))(key)
    np.testing.assert_array_equal(draw(key, (2, BLOCK_SIZE)), traced)


def test_nothing_is_compiled_for_another_shape(tiny: Compose) -> None:
    compiling = CompilationStats()
    for sizes in (["model.rnn_size=5"], ["model.rnn_size=6", "model.embed_size=9"]):
        config = parse_config(tiny(*sizes, "model.cell=gru"))
        program = build_functions(make_static_config(config, 20))
        if "model.rnn_size=6" in sizes:
            jax.monitoring.register_event_duration_secs_listener(compiling.count)
        try:
            jax.block_until_ready(program.initialize(jax.random.key(0), init_scales(config.model)))
        finally:
            if "model.rnn_size=6" in sizes:
                jax.monitoring.unregister_event_duration_listener(compiling.count)
    assert compiling.cache_status == "kept"


@pytest.mark.parametrize(
    "optimizer", ["momentum", "adam", "adamw", "lion", "muon", "rmsprop", "sgd"]
)
def test_the_optimizer_starts_as_optax_has_it(tiny: Compose, optimizer: str) -> None:
    config = parse_config(tiny(f"optimizer={optimizer}", "optimizer.average_patience=2"))
    program = build_functions(make_static_config(config, 20))
    state = program.initialize(jax.random.key(0), init_scales(config.model))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == jax.tree.map(
        lambda x: (x.shape, x.dtype), program.shapes
    )
    expected = build_optimizer(config.optimizer, zero_hyperparameters()).init(state.params)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, expected)
    jax.tree.map(np.testing.assert_array_equal, state.average, init_average(state.params, 2))
