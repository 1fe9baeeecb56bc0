"""Histograms, tensors, blobs and texts as `Summary.Value` protocol buffers.

Each value carries its data class. TensorBoard's data server drops values without one.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_TENSOR,
    SummaryMetadata,
)
from tensorboard.compat.proto.summary_pb2 import Summary as SummaryProto
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING

from sweeps.tensorboard.values import Blob, Histogram, Summary, Tensor


def summary_value(tag: str, summary: Summary) -> Any:
    """Return a summary of any kind as a `Summary.Value`."""
    if isinstance(summary, Histogram):
        return histogram_value(tag, summary)
    if isinstance(summary, Tensor):
        return tensor_value(tag, summary)
    if isinstance(summary, Blob):
        return blob_value(tag, summary)
    return text_value(tag, summary.markdown)


def histogram_value(tag: str, histogram: Histogram) -> Any:
    """Return a histogram of any number of buckets, as rows [left, right, count].

    Raises:
      ValueError: n buckets do not have n + 1 edges.
    """
    edges = [float(edge) for edge in histogram.edges]
    counts = [float(count) for count in histogram.counts]
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{tag}: {len(counts)} buckets have {len(edges)} edges")
    rows = [row for bucket in zip(edges, edges[1:], counts, strict=False) for row in bucket]
    content = struct.pack(f"<{len(rows)}f", *rows)
    shape = _shape(len(counts), 3)
    tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=content)
    return plugin_value(tag, "histograms", tensor)


def tensor_value(tag: str, tensor: Tensor) -> Any:
    """Return an array for a plugin, as float32."""
    array = np.ascontiguousarray(tensor.values, "<f4")
    shape = _shape(*array.shape)
    content = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=array.tobytes())
    return plugin_value(tag, tensor.plugin, content, tensor.content)


def blob_value(tag: str, blob: Blob) -> Any:
    """Return bytes for a plugin, as a sequence of one blob."""
    content = TensorProto(dtype=DT_STRING, tensor_shape=_shape(1), string_val=[blob.data])
    return plugin_value(tag, blob.plugin, content, blob.content, DATA_CLASS_BLOB_SEQUENCE)


def text_value(tag: str, markdown: str) -> Any:
    """Return a text in Markdown."""
    return plugin_value(tag, "text", string_tensor(markdown.encode()))


def plugin_value(
    tag: str,
    plugin: str,
    tensor: Any,
    content: bytes = b"",
    data_class: Any = DATA_CLASS_TENSOR,
) -> Any:
    """Return a tensor as a `Summary.Value` of a plugin.

    Args:
      tag: the value's tag.
      plugin: the plugin's name.
      tensor: a `TensorProto`.
      content: the plugin's own metadata of the tag.
      data_class: TensorBoard's data class.
    """
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    metadata = SummaryMetadata(plugin_data=data, data_class=data_class)
    return SummaryProto.Value(tag=tag, tensor=tensor, metadata=metadata)


def string_tensor(content: bytes) -> Any:
    """Return a `TensorProto` that is one string."""
    return TensorProto(dtype=DT_STRING, tensor_shape=_shape(), string_val=[content])


def empty_tensor() -> Any:
    """Return a `TensorProto` without numbers, for a value that has only metadata."""
    return TensorProto(dtype=DT_FLOAT, tensor_shape=_shape(0))


def _shape(*sizes: int) -> Any:
    dimensions: Sequence[Any] = [TensorShapeProto.Dim(size=size) for size in sizes]
    return TensorShapeProto(dim=dimensions)
