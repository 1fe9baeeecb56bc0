"""How a program computes: the choice by device, bfloat16 products."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from lm.backend import execution
from lm.backend.execution import (
    ExecutionPlan,
    compiler_options,
    in_precision,
    plan_execution,
    refused_options,
)
from lm.config import Config, parse_config

Compose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def config(tiny: Compose) -> Config:
    return parse_config(tiny())


def with_precision(config: Config, precision: str) -> Any:
    return replace(config.train, precision=precision)


@pytest.mark.parametrize(
    ("cell", "precision", "stacked", "recurrence"),
    [
        ("lstm", "float32", False, "cudnn"),
        ("lstm", "float32", True, "scan"),
        ("lstm", "bfloat16", False, "scan"),
        ("gru", "float32", False, "scan"),
    ],
)
def test_cudnn_is_taken_on_a_gpu_where_it_fits(
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
    cell: str,
    precision: str,
    stacked: bool,
    recurrence: str,
) -> None:
    monkeypatch.setattr(execution.jax, "default_backend", lambda: "gpu")
    model, train = replace(config.model, cell=cell), with_precision(config, precision)
    assert plan_execution(
        model, train, gradient=1, cudnn_available=lambda: True, stacked=stacked
    ) == ExecutionPlan(recurrence=recurrence, precision=precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cpu_takes_the_scan(
    config: Config, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(execution.jax, "default_backend", lambda: "cpu")
    assert plan_execution(
        config.model, with_precision(config, precision), gradient=1, cudnn_available=lambda: False
    ) == ExecutionPlan(recurrence="scan", precision=precision)


@pytest.fixture
def product() -> Callable[[jax.Array, jax.Array], jax.Array]:
    # A function that JAX has not traced before.
    return lambda a, b: a @ b


def test_bfloat16_products_are_asked_for_with_float32_sums(
    product: Callable[[jax.Array, jax.Array], jax.Array],
) -> None:
    traced = jax.jit(in_precision("bfloat16", product)).trace(jnp.ones((2, 3)), jnp.ones((3, 4)))
    asked = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "lhs_precision_type = bf16" in asked
    assert "accumulation_type = f32" in asked
    assert "tensor<2x3xf32>" in asked


def test_bfloat16_products_round_factors_on_a_cpu_too(
    product: Callable[[jax.Array, jax.Array], jax.Array],
) -> None:
    factors = [np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32) for _ in "ab"]
    a, b = factors[0], factors[1].T
    rounded = [x.astype(ml_dtypes.bfloat16).astype(np.float64) for x in (a, b)]
    narrow = jax.jit(in_precision("bfloat16", product))(a, b)
    np.testing.assert_allclose(narrow, rounded[0] @ rounded[1], rtol=1e-5, atol=1e-5)
    assert np.abs(narrow - a @ b).max() > 1e-3


def test_bfloat16_gradients_round_factors_on_a_cpu_too(
    product: Callable[[jax.Array, jax.Array], jax.Array],
) -> None:
    def gradient(a: jax.Array, b: jax.Array) -> tuple[jax.Array, ...]:
        return jax.grad(lambda a, b: product(a, b).sum(), (0, 1))(a, b)

    lowered = jax.jit(in_precision("bfloat16", gradient)).lower(jnp.ones((2, 3)), jnp.ones((3, 4)))
    products = [line for line in lowered.as_text().splitlines() if "dot_general" in line]
    assert products
    assert all(line.count("xbf16>") == 2 for line in products)


def test_float32_products_are_as_they_were_after_bfloat16_ones(
    product: Callable[[jax.Array, jax.Array], jax.Array],
) -> None:
    a, b = jnp.full((2, 3), 1 / 3), jnp.full((3, 4), 1 / 7)
    before = jax.jit(lambda a, b: product(a, b))(a, b)
    jax.jit(in_precision("bfloat16", product))(a, b)
    np.testing.assert_array_equal(jax.jit(lambda a, b: product(a, b))(a, b), before)


@pytest.mark.parametrize(("one_thread", "parts"), [(True, 1), (False, None)])
def test_code_for_one_thread_is_compiled_in_one_part(
    monkeypatch: pytest.MonkeyPatch, one_thread: bool, parts: int | None
) -> None:
    monkeypatch.setattr(execution, "has_one_thread", lambda: one_thread)
    options = compiler_options()
    assert options.get("xla_cpu_parallel_codegen_split_count") == parts


def test_products_of_training_are_eigens_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(execution, "prefers_eigen", lambda: True)
    options = compiler_options(multiplies=True)
    product = jax.jit(jnp.matmul, compiler_options=options)
    compiled = product.lower(jnp.ones((64, 32)), jnp.ones((32, 64))).compile().as_text()
    assert "dot(" in compiled
    assert "ynn_fusion" not in compiled


@pytest.fixture
def asked_anew() -> Iterator[None]:
    """What the compiler takes is asked in this test, and forgotten after it."""
    execution._refused_options.cache_clear()
    yield
    execution._refused_options.cache_clear()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ({}, execution.ONE_PART),
        ({"multiplies": True}, execution.O2),
        ({"multiplies": True}, execution.EIGEN),
        ({"seldom": True}, execution.QUICK),
    ],
    ids=["one part", "O2", "Eigen", "quick"],
)
def test_this_version_of_the_compiler_takes_options(
    monkeypatch: pytest.MonkeyPatch, kind: dict[str, bool], options: execution.Options
) -> None:
    monkeypatch.setattr(execution, "has_one_thread", lambda: True)
    monkeypatch.setattr(execution, "prefers_eigen", lambda: True)
    assert compiler_options(**kind).items() & options.items()


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("name", ["ONE_PART", "O2", "EIGEN", "QUICK"])
@pytest.mark.parametrize("kind", [{}, {"multiplies": True}, {"seldom": True}], ids="-".join)
def test_option_that_the_compiler_does_not_know_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, kind: dict[str, bool], name: str
) -> None:
    monkeypatch.setattr(execution, "has_one_thread", lambda: True)
    monkeypatch.setattr(execution, "prefers_eigen", lambda: True)
    known = compiler_options(**kind)
    refused = refused_options()
    execution._refused_options.cache_clear()
    monkeypatch.setattr(execution, name, {"xla_no_such_option": True, **getattr(execution, name)})
    assert compiler_options(**kind) == known
    assert refused_options() == sorted(["xla_no_such_option", *refused])
    jax.jit(jnp.negative, compiler_options=known)(1)


@pytest.mark.usefixtures("asked_anew")
def test_compiler_that_knows_no_option_is_asked_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise jax.errors.JaxRuntimeError("No such compile option")

    monkeypatch.setattr(execution, "has_one_thread", lambda: False)
    monkeypatch.setattr(execution, "prefers_eigen", lambda: False)
    monkeypatch.setattr(jax, "jit", refuse)
    assert compiler_options(seldom=True) == {}
    assert refused_options() == sorted({**execution.O2, **execution.QUICK})


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("name", ["ONE_PART", "O2", "EIGEN", "QUICK"])
def test_only_what_a_program_would_have_here_is_called_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # On a device with several threads Eigen is not asked for, and code is compiled in parts.
    monkeypatch.setattr(execution, "has_one_thread", lambda: False)
    monkeypatch.setattr(execution, "prefers_eigen", lambda: False)
    known = refused_options()
    execution._refused_options.cache_clear()
    monkeypatch.setattr(execution, name, {"xla_no_such_option": True, **getattr(execution, name)})
    wanted = ["xla_no_such_option"] if name in ("O2", "QUICK") else []
    assert refused_options() == sorted(known + wanted)
    monkeypatch.setattr(execution.jax, "default_backend", lambda: "gpu")
    assert refused_options() == []
