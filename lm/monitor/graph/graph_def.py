"""A graph of operations, and its `GraphDef` for TensorBoard."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DataType
from tensorboard.compat.proto.versions_pb2 import VersionDef

DTYPES = {
    "bool": "DT_BOOL",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint32": "DT_UINT32",
    "bfloat16": "DT_BFLOAT16",
    "float16": "DT_HALF",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
}
"""NumPy's name of a type -> TensorFlow's; types missing here are left out of the graph."""


CONSTANT = "constant"
"""Label of a constant array of several numbers."""


class TensorSpec(NamedTuple):
    """Shape and type of an array."""

    shape: tuple[int, ...]
    dtype: str
    """NumPy's name of the type."""


class Constant(NamedTuple):
    """An array known at trace time; it becomes a node in each scope that reads it."""

    text: str
    """The number that all elements equal, or `CONSTANT`."""
    tensor: TensorSpec


class NodeOutput(NamedTuple):
    """One of the arrays that a node returns."""

    node: "Node"
    port: int


@dataclass(eq=False)
class Node:
    """An operation; equal only to itself."""

    scope: str
    """Names of the enclosing scopes with slashes between; empty at the top."""
    label: str
    """Name within the scope; a number is added where another node has it."""
    op: str
    inputs: Sequence[NodeOutput]
    outputs: Sequence[TensorSpec]
    notes: dict[str, str] = field(default_factory=dict)
    """Attributes to show in TensorBoard."""
    back: NodeOutput | None = None
    """Value that a loop hands to this node from the second step on. It is shown as an attribute,
    not as an edge, for a graph with a cycle has no layout."""


class Graph:
    """Nodes in the order in which they are added, each after its inputs."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._numbers: dict[tuple[str, Constant], Node] = {}

    def add(
        self,
        scope: str,
        op: str,
        inputs: Iterable[NodeOutput | Constant],
        outputs: Sequence[TensorSpec],
        *,
        label: str = "",
        notes: Mapping[str, str] | None = None,
    ) -> list[NodeOutput]:
        """Add an operation; returns its results. `label` defaults to `op`."""
        read = [self._read(scope, value) for value in inputs]
        node = Node(scope, label or op, op, read, outputs, dict(notes or {}))
        self._nodes.append(node)
        return [NodeOutput(node, port) for port in range(len(outputs))]

    def _read(self, scope: str, value: NodeOutput | Constant) -> NodeOutput:
        if isinstance(value, NodeOutput):
            return value
        node = self._numbers.get((scope, value))
        if node is None:
            node = Node(scope, value.text, "Const", (), (value.tensor,))
            self._nodes.append(node)
            if value.text != CONSTANT:
                self._numbers[scope, value] = node
        return NodeOutput(node, 0)

    def needed(self, results: Iterable[NodeOutput | Constant]) -> list[Node]:
        """The nodes that results are made from, and all variables and placeholders."""
        kept: set[Node] = set()
        left = [node for node in self._nodes if node.op in ("Variable", "Placeholder")]
        left += [value.node for value in results if isinstance(value, NodeOutput)]
        while left:
            node = left.pop()
            if node not in kept:
                kept.add(node)
                left += [value.node for value in node.inputs]
                left += [node.back.node] if node.back else []
        return [node for node in self._nodes if node in kept]


def with_module_inputs(nodes: Sequence[Node]) -> list[Node]:
    """Nodes of which several read one array of another module; they get it through one `input`.

    TensorBoard writes a shape beside an edge between modules only where a single edge runs there.
    """
    readers: dict[tuple[NodeOutput, str], list[Node]] = {}
    for node in nodes:
        for value in dict.fromkeys(node.inputs):
            if _module(value.node) != _module(node):
                readers.setdefault((value, _module(node)), []).append(node)
    entries: dict[Node, list[Node]] = {}
    for (value, module), (first, *others) in readers.items():
        if others:
            tensor = value.node.outputs[value.port]
            entry = Node(module, "input", "Identity", [value], [tensor])
            entries.setdefault(first, []).append(entry)
            for node in (first, *others):
                node.inputs = [NodeOutput(entry, 0) if one == value else one for one in node.inputs]
    return [one for node in nodes for one in (*entries.get(node, ()), node)]


def _module(node: Node) -> str:
    return node.scope.partition("/")[0]


def to_graph_def(nodes: Sequence[Node]) -> GraphDef:
    """TensorBoard's form of a graph that holds all inputs of its nodes."""
    names = _names(nodes)
    return GraphDef(
        node=[_node_def(node, names) for node in nodes], versions=VersionDef(producer=22)
    )


def _names(nodes: Sequence[Node]) -> dict[Node, str]:
    """Unique names. They end in `.2`, not in `_1`, for of those TensorBoard makes stacks."""
    counts: Counter[str] = Counter()
    names = {}
    for node in nodes:
        name = f"{node.scope}/{node.label}" if node.scope else node.label
        counts[name] += 1
        names[node] = name if counts[name] == 1 else f"{name}.{counts[name]}"
    return names


def _node_def(node: Node, names: Mapping[Node, str]) -> NodeDef:
    shapes = AttrValue.ListValue(shape=[_shape(output) for output in node.outputs])
    attributes = {"_output_shapes": AttrValue(list=shapes)}
    dtype = DTYPES.get(node.outputs[0].dtype) if node.outputs else None
    if dtype:
        attributes["dtype"] = AttrValue(type=DataType.Value(dtype))
    notes = dict(node.notes)
    if node.back:
        notes["step_before"] = _reference(node.back, names)
    for key, text in notes.items():
        attributes[key] = AttrValue(s=text.encode())
    inputs = [_reference(value, names) for value in node.inputs]
    return NodeDef(name=names[node], op=node.op, input=inputs, attr=attributes)


def _shape(tensor: TensorSpec) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in tensor.shape])


def _reference(value: NodeOutput, names: Mapping[Node, str]) -> str:
    return names[value.node] + (f":{value.port}" if value.port else "")
