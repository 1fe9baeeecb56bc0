"""Values in TensorBoard's own form: what stands in an event, apart from scalars.

Each carries its data class, without which TensorBoard's data server drops it.
"""

import struct
from collections.abc import Sequence
from typing import Any

from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING

from sweeps.views import Histogram, View


def summary(tag: str, view: View) -> Any:
    """A view under a tag."""
    return histogram(tag, view) if isinstance(view, Histogram) else text(tag, view.markdown)


def histogram(tag: str, view: Histogram) -> Any:
    """Buckets as rows [left, right, count], however many there are."""
    edges, counts = [float(edge) for edge in view.edges], [float(count) for count in view.counts]
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{tag}: {len(counts)} buckets have {len(edges)} edges")
    rows = [row for bucket in zip(edges, edges[1:], counts, strict=False) for row in bucket]
    content = struct.pack(f"<{len(rows)}f", *rows)
    shape = _shape(len(counts), 3)
    tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=content)
    return _value(tag, "histograms", tensor)


def text(tag: str, markdown: str) -> Any:
    """A text, in Markdown."""
    return _value(tag, "text", _string(markdown.encode()))


def _string(content: bytes) -> Any:
    return TensorProto(dtype=DT_STRING, tensor_shape=_shape(), string_val=[content])


def _value(tag: str, plugin: str, tensor: Any, content: bytes = b"") -> Any:
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    metadata = SummaryMetadata(plugin_data=data, data_class=DATA_CLASS_TENSOR)
    return Summary.Value(tag=tag, tensor=tensor, metadata=metadata)


def _shape(*sizes: int) -> Any:
    dimensions: Sequence[Any] = [TensorShapeProto.Dim(size=size) for size in sizes]
    return TensorShapeProto(dim=dimensions)
