"""The model's graph: whole, in the modules' scopes, of the model's parameters; or a warning."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import Array, lax
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef

from lm.config import InitializerConfig, ModelConfig
from lm.model.language_model import LanguageModel
from lm.monitor import graph
from lm.monitor.graph.convert import JaxprConverter, NodeNames
from lm.monitor.graph.graph_def import Graph, TensorSpec, to_graph_def
from lm.monitor.graph.jaxpr import scan_arity

TIME, BATCH, EMBED, RNN, HIDDEN, VOCAB = 7, 3, 5, 6, 4, 11
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
MODEL = ModelConfig(
    cell="lstm",
    embed_size=EMBED,
    rnn_size=RNN,
    last_size=None,
    layers=1,
    hidden_size=HIDDEN,
    dropout=0.0,
    input_dropout=None,
    output_dropout=None,
    dropout_kind="step",
    embedding_dropout=0.0,
    weight_drop=0.0,
    forget_bias=1.0,
    tie_weights=False,
    embed_scale=0.1,
    initializer=InitializerConfig(kind="uniform", scale=0.1),
)
MODELS = [
    replace(MODEL, cell=cell, layers=layers, hidden_size=hidden_size)
    for cell in GATES
    for layers in (1, 2)
    for hidden_size in (None, HIDDEN)
]
every_model = pytest.mark.parametrize(
    "model", MODELS, ids=lambda model: f"{model.cell}-{model.layers}-{model.hidden_size}"
)


@cache
def nodes_of(cell: str, layers: int, hidden_size: int | None) -> dict[str, NodeDef]:
    config = replace(MODEL, cell=cell, layers=layers, hidden_size=hidden_size)
    return by_name(graph.model_graph(config, VOCAB, BATCH, TIME))


def nodes(model: ModelConfig) -> dict[str, NodeDef]:
    return nodes_of(model.cell, model.layers, model.hidden_size)


def by_name(serialised: bytes) -> dict[str, NodeDef]:
    found = GraphDef.FromString(serialised).node
    names = {node.name: node for node in found}
    assert len(names) == len(found)
    return names


def shape(node: NodeDef, port: int = 0) -> tuple[int, ...]:
    return tuple(dim.size for dim in node.attr["_output_shapes"].list.shape[port].dim)


def inputs(node: NodeDef) -> Iterator[tuple[str, int]]:
    for reference in node.input:
        name, _, port = reference.partition(":")
        yield name, int(port or 0)


def assert_whole(names: dict[str, NodeDef]) -> None:
    """Every input is an output of a node, and none depends on itself."""
    before = {name: [one for one, _ in inputs(node)] for name, node in names.items()}
    for node in names.values():
        assert all(
            port < len(names[name].attr["_output_shapes"].list.shape) for name, port in inputs(node)
        )
    assert len(list(TopologicalSorter(before).static_order())) == len(names)


@every_model
def test_every_edge_leads_from_a_node_and_none_in_a_circle(model: ModelConfig) -> None:
    assert_whole(nodes(model))


@every_model
def test_variables_are_the_models_parameters(model: ModelConfig) -> None:
    made = LanguageModel(model, VOCAB, rngs=nnx.Rngs(params=jax.random.key(0)))
    leaves, _ = jax.tree_util.tree_flatten_with_path(nnx.to_pure_dict(nnx.state(made, nnx.Param)))
    expected = {}
    for path, leaf in leaves:
        *module, name = (entry.key for entry in path)
        scope = f"layer_{module[1] + 1}" if module[0] == "layers" else module[0]
        expected[f"{scope}/{name}"] = leaf.shape
    found = {name: shape(node) for name, node in nodes(model).items() if node.op == "Variable"}
    assert found == expected


@every_model
def test_scopes_are_the_modules(model: ModelConfig) -> None:
    layers = {f"layer_{index + 1}" for index in range(model.layers)}
    hidden = {"hidden"} if model.hidden_size else set()
    expected = {"words", "targets", "embedding", *layers, *hidden, "output", "loss"}
    assert {name.partition("/")[0] for name in nodes(model)} == expected
    within = {name.split("/")[1] for name in nodes(model) if name.startswith("layer_1/")}
    assert f"scan_{TIME}_steps" in within


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("layers", [1, 2])
def test_hidden_layer_is_a_product_a_bias_and_a_tanh(cell: str, layers: int) -> None:
    names = nodes_of(cell, layers, HIDDEN)
    wide = (TIME, BATCH, HIDDEN)
    expected = {
        "hidden/kernel": ("Variable", (RNN, HIDDEN), []),
        "hidden/bias": ("Variable", (HIDDEN,), []),
        "hidden/MatMul": (
            "MatMul",
            wide,
            [f"layer_{layers}/scan_{TIME}_steps/output", "hidden/kernel"],
        ),
        "hidden/BiasAdd": ("BiasAdd", wide, ["hidden/MatMul", "hidden/bias"]),
        "hidden/Tanh": ("Tanh", wide, ["hidden/BiasAdd"]),
    }
    hidden = {name: node for name, node in names.items() if name.startswith("hidden/")}
    assert {
        name: (node.op, shape(node), list(node.input)) for name, node in hidden.items()
    } == expected
    assert list(names["output/MatMul"].input) == ["hidden/Tanh", "output/weight"]


@every_model
def test_matrix_products_have_the_models_sizes(model: ModelConfig) -> None:
    wide = GATES[model.cell] * RNN
    expected = {"output/MatMul": (TIME * BATCH, VOCAB)}
    if model.hidden_size:
        expected["hidden/MatMul"] = (TIME, BATCH, HIDDEN)
    for layer in range(1, model.layers + 1):
        expected[f"layer_{layer}/MatMul"] = (TIME * BATCH, wide)
        expected[f"layer_{layer}/scan_{TIME}_steps/MatMul"] = (BATCH, wide)
    found = {name: shape(node) for name, node in nodes(model).items() if node.op == "MatMul"}
    assert found == expected


@every_model
def test_one_edge_between_modules_carries_an_array_and_its_shape(model: ModelConfig) -> None:
    crossing = [
        (reference, name.partition("/")[0])
        for name, node in nodes(model).items()
        for reference in node.input
        if reference.partition("/")[0] != name.partition("/")[0]
    ]
    assert len(set(crossing)) == len(crossing)
    into_loss = [reference for reference, module in crossing if module == "loss"]
    assert sorted(into_loss) == ["output/BiasAdd", "targets"]
    assert shape(nodes(model)["output/BiasAdd"]) == (TIME * BATCH, VOCAB)


@every_model
def test_loop_tells_what_comes_step_before(model: ModelConfig) -> None:
    names = nodes(model)
    for layer in range(1, model.layers + 1):
        scope = f"layer_{layer}/scan_{TIME}_steps"
        for state in ("h", "c") if model.cell == "lstm" else ("h",):
            start = names[f"{scope}/{state}"]
            assert list(start.input) == [f"layer_{layer}/start_{state}"]
            assert start.attr["step_before"].s.decode() == f"{scope}/next_{state}"
            assert shape(names[f"{scope}/next_{state}"]) == (BATCH, RNN)
    ends = [name for name in names if name.rpartition("/")[2].startswith("next_")]
    assert len(ends) == model.layers * (2 if model.cell == "lstm" else 1)


def test_numbers_that_shapes_do_not_depend_on_share_one_graph() -> None:
    one = graph.graph_or_none(MODEL, VOCAB, BATCH, TIME)
    other = graph.graph_or_none(replace(MODEL, dropout=0.5, forget_bias=0.0), VOCAB, BATCH, TIME)
    assert one is other
    assert one == graph.model_graph(MODEL, VOCAB, BATCH, TIME)


def test_tied_weights_are_one_variable_of_two_readers() -> None:
    tied = replace(MODEL, tie_weights=True, hidden_size=EMBED)
    names = by_name(graph.model_graph(tied, VOCAB, BATCH, TIME))
    assert_whole(names)
    assert [name for name in names if name.endswith("/weight")] == ["embedding/weight"]
    assert list(names["embedding/MatMul"].input) == ["hidden/Tanh", "embedding/weight"]
    assert list(names["output/BiasAdd"].input) == ["embedding/MatMul", "output/bias"]


def test_nothing_of_the_models_size_is_allocated() -> None:
    terabytes = 10**9  # words, of 1,024 numbers each
    large = replace(MODEL, embed_size=1024)
    names = by_name(graph.model_graph(large, terabytes, BATCH, TIME))
    assert shape(names["embedding/weight"]) == (terabytes, 1024)


def _cannot_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AttributeError("'JaxprEqn' object has no attribute 'invars'\nand so on")

    monkeypatch.setattr(JaxprConverter, "convert", broken)


def _cannot_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm.monitor.graph.convert", None)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [(_cannot_walk, "has no attribute 'invars'"), (_cannot_import, "lm.monitor.graph.convert")],
)
def test_failure_is_one_warning_and_no_graph(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    break_it: Callable[[pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    graph._once.cache_clear()
    break_it(monkeypatch)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert graph.graph_or_none(MODEL, VOCAB, BATCH, TIME) is None
    graph._once.cache_clear()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "graph" in record.message
    assert reason in record.message
    assert "\n" not in record.message


@pytest.mark.parametrize(
    ("step", "states", "cut", "carried"),
    [
        (lambda s, x: (s, x), (), (), 0),
        (lambda s, x: (s + x, None), 1, 2, 1),
        (lambda s, x: (s, 3 * x), (), 2, 0),
        (lambda s, x: (2 * s, s), 1, (), 1),
        (lambda s, x: ((s[1], s[0] + x), (x, s[0])), (1, 1), 2, 2),
    ],
    ids=["nothing", "sum", "map", "powers", "swap"],
)
@pytest.mark.parametrize("shared", [0, 2])
def test_inputs_of_a_scan_are_told_apart(
    step: Callable[..., Any], states: Any, cut: Any, carried: int, shared: int
) -> None:
    def compute(states: Any, cut: Any, others: list[Array]) -> Any:
        def body(state: Any, x: Any) -> Any:
            after, seen = step(state, x)
            return after, (seen, [jnp.sin(other) for other in others])

        return lax.scan(body, states, cut, length=2)

    arrays = [jax.tree.map(lambda rank: jnp.ones((2,) * rank), ranks) for ranks in (states, cut)]
    traced = jax.make_jaxpr(compute)(*arrays, [jnp.ones(2), jnp.ones((2, 2))][:shared])
    (scan,) = (one for one in traced.eqns if one.primitive.name == "scan")
    assert scan_arity(scan) == (shared, carried)


def test_branches_loops_and_unknown_operations_are_nodes() -> None:
    def compute(x: Array, count: Array) -> tuple[Array, Array]:
        with jax.named_scope("a"):
            x = lax.cond(count > 2, lambda x: jnp.sin(x), lambda x: -x, x)
        with jax.named_scope("b"):
            _, x = lax.while_loop(
                lambda s: s[0] < 9, lambda s: (s[0] + 1, jnp.exp(s[1])), (count, x)
            )
        values, places = lax.top_k(x, 2)
        return jax.checkpoint(jnp.tanh)(values), places

    given = (jnp.zeros(5), jnp.int32(0))
    made = Graph()
    start = [
        made.add("", "Placeholder", (), [TensorSpec(one.shape, str(one.dtype))])[0] for one in given
    ]
    results = JaxprConverter(made, NodeNames()).convert(jax.make_jaxpr(compute)(*given), start, "")
    names = by_name(to_graph_def(made.needed(results)).SerializeToString())

    assert_whole(names)
    branches = names["a/cond/branch_0/Neg"], names["a/cond/branch_1/sin"]
    assert [shape(node) for node in branches] == [(5,), (5,)]
    assert names["b/while/body/Exp"].input == ["b/while/state.2"]
    assert names["b/while/LoopCond"].input == ["b/while/condition/Less"]
    assert [shape(names["top_k"], port) for port in (0, 1)] == [(2,), (2,)]
    assert names["Tanh"].input == ["top_k"]
