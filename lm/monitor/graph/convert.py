"""Convert a traced computation (a jaxpr) to a graph of operations.

Scopes are those of `jax.named_scope`, and one for each loop and branch. Operations
that only change an array's layout are left out, so that edges lead from what computes to what
computes; so are operations on constants alone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from lm.monitor.graph.graph_def import CONSTANT, Constant, Graph, NodeOutput, TensorSpec
from lm.monitor.graph.jaxpr import (
    constant,
    inner_computation,
    named_scopes,
    open_jaxpr,
    scan_arity,
    tensor_spec,
)
from lm.monitor.graph.op_names import LAYOUT_OPS, OP_NAMES

Operand = NodeOutput | Constant


class NodeNames(NamedTuple):
    """Names for nodes that have none in a jaxpr; where they are too few, plain ones are taken."""

    states: Sequence[str] = ()
    """Names of the states that a loop hands from step to step."""
    parts: Sequence[str] = ()
    """Names of the parts that an array is split into."""


class JaxprConverter:
    """Converts jaxprs to nodes of a graph."""

    def __init__(self, graph: Graph, names: NodeNames) -> None:
        self._graph = graph
        self._names = names
        self._scopes: Counter[str] = Counter()
        self._made_by: dict[Operand, tuple[str, Sequence[Operand]]] = {}

    def convert(
        self, closed: ClosedJaxpr | Jaxpr, inputs: Sequence[Operand], scope: str
    ) -> list[Operand]:
        """Add the operations of a jaxpr to the graph; returns its results."""
        jaxpr, constants = open_jaxpr(closed)
        values: dict[Any, Operand] = dict(zip(jaxpr.constvars, constants, strict=True))
        values |= zip(jaxpr.invars, inputs, strict=True)

        def read(variable: Any) -> Operand:
            if isinstance(variable, Literal):
                return constant(variable.val, variable.aval)
            return values[variable]

        for equation in jaxpr.eqns:
            operands = [read(variable) for variable in equation.invars]
            within = "/".join(filter(None, [scope, *named_scopes(equation)]))
            results = self._equation(equation, operands, within)
            values |= zip(equation.outvars, results, strict=True)
        return [read(variable) for variable in jaxpr.outvars]

    def _equation(
        self, equation: JaxprEqn, operands: Sequence[Operand], scope: str
    ) -> Sequence[Operand]:
        name = equation.primitive.name
        special = {"scan": self._scan, "while": self._while, "cond": self._cond}.get(name)
        if special:
            return special(equation, operands, scope)
        inner = inner_computation(equation)
        if inner is not None:
            return self.convert(inner, operands, scope)
        tensors = [tensor_spec(variable.aval) for variable in equation.outvars]
        if all(isinstance(operand, Constant) for operand in operands):
            return [_derived(name, operands, tensor) for tensor in tensors]
        if name in LAYOUT_OPS:
            return operands[:1]
        same = self._same_as(name, operands)
        return [same] if same else self._operation(name, operands, tensors, scope)

    def _operation(
        self, name: str, operands: Sequence[Operand], tensors: Sequence[TensorSpec], scope: str
    ) -> Sequence[Operand]:
        """A node; or, of a split, one for each part. They stand in the module whose parameters
        they read, even where it is not the module itself that computes."""
        read = [value.node for value in operands if isinstance(value, NodeOutput)]
        parameters = [node for node in read if node.op == "Variable"]
        if parameters and not f"{scope}/".startswith(f"{parameters[0].scope}/"):
            scope = parameters[0].scope
        op = OP_NAMES.get(name, name)
        if name == "add" and any(len(node.outputs[0].shape) == 1 for node in parameters):
            op = "BiasAdd"
        if name == "split":
            labels = _labels(self._names.parts, len(tensors), "part")
            return [
                self._graph.add(scope, op, operands, [tensor], label=label)[0]
                for label, tensor in zip(labels, tensors, strict=True)
            ]
        results = self._graph.add(scope, op, operands, tensors)
        self._made_by |= dict.fromkeys(results, (name, operands))
        return results

    def _same_as(self, name: str, operands: Sequence[Operand]) -> Operand | None:
        """The operand that an operation gives unchanged: `max(-inf, x)`; an index that is looked at
        for being negative, `select(x < 0, x, x + size)`."""
        if name == "max":
            others = [one for one in operands if not _is_constant(one, "-inf")]
            return others[0] if len(others) == 1 else None
        if name == "select_n" and len(operands) == 3:
            negative, index, moved = operands
            asks, compared = self._made_by.get(negative, ("", ()))
            adds, added = self._made_by.get(moved, ("", ()))
            if (asks, adds) == ("lt", "add") and compared[0] == added[0] == index:
                return index if _is_constant(compared[1], "0") else None
        return None

    def _scan(
        self, equation: JaxprEqn, operands: Sequence[Operand], scope: str
    ) -> Sequence[Operand]:
        """A scope with the operations of one step; arrays are cut into steps at its entry and put
        together at its end."""
        fixed, carried = scan_arity(equation)
        length, body = equation.params["length"], equation.params["jaxpr"]
        scope = self._new_scope(scope, f"scan_{length}_steps")
        inner = [tensor_spec(variable.aval) for variable in open_jaxpr(body)[0].invars]
        outer = [tensor_spec(variable.aval) for variable in equation.outvars]
        order = {"order": "last step first"} if equation.params["reverse"] else {}
        through = slice(fixed, fixed + carried)
        states = self._enter_loop(scope, operands[through], inner[through])
        inputs = [
            self._graph.add(scope, "Unstack", [operand], [tensor], label="input", notes=order)[0]
            for operand, tensor in zip(operands[through.stop :], inner[through.stop :], strict=True)
        ]
        results = self.convert(body, [*operands[:fixed], *states, *inputs], scope)
        ends = self._next_step(scope, states, results[:carried])
        outputs = [
            self._graph.add(scope, "Stack", [result], [tensor], label="output", notes=order)[0]
            for result, tensor in zip(results[carried:], outer[carried:], strict=True)
        ]
        return [*ends, *outputs]

    def _while(
        self, equation: JaxprEqn, operands: Sequence[Operand], scope: str
    ) -> Sequence[Operand]:
        """A scope with the operations of its condition and of its body."""
        asks, does = equation.params["cond_nconsts"], equation.params["body_nconsts"]
        scope = self._new_scope(scope, "while")
        tensors = [tensor_spec(variable.aval) for variable in equation.outvars]
        states = self._enter_loop(scope, operands[asks + does :], tensors)
        asked = self.convert(
            equation.params["cond_jaxpr"], [*operands[:asks], *states], f"{scope}/condition"
        )
        goes_on = self._graph.add(scope, "LoopCond", asked, [TensorSpec((), "bool")])
        results = self.convert(
            equation.params["body_jaxpr"],
            [*operands[asks : asks + does], *states],
            f"{scope}/body",
        )
        return self._next_step(scope, states, results, goes_on)

    def _cond(
        self, equation: JaxprEqn, operands: Sequence[Operand], scope: str
    ) -> Sequence[Operand]:
        """A scope for each branch, and one node for each result that takes it from one of them."""
        scope = self._new_scope(scope, "cond")
        branches = [
            self.convert(branch, operands[1:], f"{scope}/branch_{index}")
            for index, branch in enumerate(equation.params["branches"])
        ]
        tensors = [tensor_spec(variable.aval) for variable in equation.outvars]
        return [
            self._graph.add(scope, "Merge", [operands[0], *results], [tensor])[0]
            for results, tensor in zip(zip(*branches, strict=True), tensors, strict=True)
        ]

    def _enter_loop(
        self, scope: str, starts: Sequence[Operand], tensors: Sequence[TensorSpec]
    ) -> list[NodeOutput]:
        """Add nodes for the states of a loop, as its steps read them."""
        labels = _labels(self._names.states, len(starts), "state")
        return [
            self._graph.add(scope, "Merge", [start], [tensor], label=label)[0]
            for label, start, tensor in zip(labels, starts, tensors, strict=True)
        ]

    def _next_step(
        self,
        scope: str,
        states: Sequence[NodeOutput],
        results: Sequence[Operand],
        goes_on: Sequence[Operand] = (),
    ) -> list[NodeOutput]:
        """Add nodes for the states of a loop, as a step leaves them; returns their last values."""
        ends = []
        for state, result in zip(states, results, strict=True):
            label, tensors = f"next_{state.node.label}", state.node.outputs
            inputs = [result, *goes_on]
            (end,) = self._graph.add(scope, "NextIteration", inputs, tensors, label=label)
            state.node.back = end
            ends.append(end)
        return ends

    def _new_scope(self, scope: str, name: str) -> str:
        name = f"{scope}/{name}" if scope else name
        self._scopes[name] += 1
        return name if self._scopes[name] == 1 else f"{name}.{self._scopes[name]}"


def _derived(name: str, operands: Sequence[Operand], tensor: TensorSpec) -> Constant:
    """Result of an operation on constants; a number whose layout alone changes stays a number."""
    text = (
        operands[0].text if name in LAYOUT_OPS and isinstance(operands[0], Constant) else CONSTANT
    )
    return Constant(text, tensor)


def _is_constant(operand: Operand, text: str) -> bool:
    return isinstance(operand, Constant) and operand.text == text


def _labels(names: Sequence[str], count: int, plain: str) -> list[str]:
    return list(names[:count]) if count <= len(names) else [plain] * count
