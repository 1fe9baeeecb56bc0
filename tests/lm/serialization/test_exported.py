"""What an export has of a model, and how what was written is compared with it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm.config.sizes import parameter_shapes
from lm.serialization.exported import States, compare
from lm.training.functions import build_functions, make_static_config
from tests.lm.helpers.exports import SHAPES, WORDS, make_exported, windows

Compose = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("shape", SHAPES)
def test_names_and_shapes_without_jax_are_those_of_the_model(compose: Compose, shape: str) -> None:
    model, _, _ = make_exported(compose, SHAPES[shape])
    found = parameter_shapes(model.config.model, len(WORDS))
    assert found == {name: array.shape for name, array in model.arrays.items()}
    for layer, units in zip(model.zero_states(2), model.description()["layer_sizes"], strict=True):
        assert [array.shape for array in layer] == [(2, units)] * len(model.state_names)


@pytest.mark.parametrize("shape", ["lstm_stack", "tied_gru", "dropout"])
def test_reference_is_the_model_itself(compose: Compose, shape: str) -> None:
    model, reference, params = make_exported(compose, SHAPES[shape])
    functions = build_functions(make_static_config(model.config, len(WORDS)))
    (ids,) = windows((6,), 2)
    before = model.zero_states(2)
    read = functions.compile_beside(lambda spec, params, ids: spec.merge(params)(ids, before))
    expected = read(params, jnp.asarray(ids))
    found = reference(ids, before)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_differs_is_found(compose: Compose) -> None:
    model, reference, _ = make_exported(compose, SHAPES["lstm"])

    def wrong(where: str) -> float:
        def logits(ids: np.ndarray, states: States) -> tuple[np.ndarray, States]:
            found, after = reference(ids, states)
            if where == "logits":
                found = found + np.float32(0.25)
            if where == "cell":
                after = tuple((h, c + np.float32(0.25)) for h, c in after)
            if where == "nan":
                found = np.where(np.arange(found.size).reshape(found.shape) == 5, np.nan, found)
            return found, after

        return compare(model, logits, reference).from_equal_states

    assert wrong("nothing") == 0
    assert wrong("logits") == pytest.approx(0.25, abs=1e-6)
    assert wrong("cell") == pytest.approx(0.25, abs=1e-6)
    assert np.isnan(wrong("nan"))
