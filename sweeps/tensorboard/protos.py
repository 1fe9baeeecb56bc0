"""Values in TensorBoard's own form: what stands in an event, apart from scalars.

Each carries its data class, without which TensorBoard's data server drops it.
"""

import re
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import (
    DATA_CLASS_BLOB_SEQUENCE,
    DATA_CLASS_TENSOR,
    SummaryMetadata,
)
from tensorboard.compat.proto.summary_pb2 import (
    Summary as SummaryProto,
)
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Chart,
    MarginChartContent,
    MultilineChartContent,
)
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout as LayoutProto
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)

from sweeps.tensorboard.custom_scalars import Band, Layout, Lines
from sweeps.tensorboard.values import Blob, Histogram, Summary, Tensor

Setting = bool | float | str

SESSION_START = "_hparams_/session_start_info"
SESSION_END = "_hparams_/session_end_info"
LAYOUT = "custom_scalars__config__"


def summary_value(tag: str, view: Summary) -> Any:
    """A view under a tag."""
    if isinstance(view, Histogram):
        return histogram_value(tag, view)
    if isinstance(view, Tensor):
        return tensor_value(tag, view)
    return blob_value(tag, view) if isinstance(view, Blob) else text_value(tag, view.markdown)


def histogram_value(tag: str, view: Histogram) -> Any:
    """Buckets as rows [left, right, count], however many there are."""
    edges, counts = [float(edge) for edge in view.edges], [float(count) for count in view.counts]
    if len(edges) != len(counts) + 1:
        raise ValueError(f"{tag}: {len(counts)} buckets have {len(edges)} edges")
    rows = [row for bucket in zip(edges, edges[1:], counts, strict=False) for row in bucket]
    content = struct.pack(f"<{len(rows)}f", *rows)
    shape = _shape(len(counts), 3)
    tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=content)
    return _value(tag, "histograms", tensor)


def tensor_value(tag: str, view: Tensor) -> Any:
    """An array, as a plugin gets it from TensorBoard's data provider."""
    values = np.ascontiguousarray(view.values, "<f4")
    shape = _shape(*values.shape)
    content = TensorProto(dtype=DT_FLOAT, tensor_shape=shape, tensor_content=values.tobytes())
    return _value(tag, view.plugin, content, view.content)


def blob_value(tag: str, view: Blob) -> Any:
    """Bytes, as a plugin gets them: a sequence of one."""
    content = TensorProto(dtype=DT_STRING, tensor_shape=_shape(1), string_val=[view.data])
    return _value(tag, view.plugin, content, view.content, DATA_CLASS_BLOB_SEQUENCE)


def text_value(tag: str, markdown: str) -> Any:
    """A text, in Markdown."""
    return _value(tag, "text", _string(markdown.encode()))


def session_start(settings: Mapping[str, Setting], group: str) -> Any:
    """What a trial is, for the table of hyperparameters; without a group it has a row of its own.

    A table's columns are the settings of all runs, as long as none describes the whole experiment.
    """
    info = SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, setting in settings.items():
        if isinstance(setting, bool):
            info.hparams[name].bool_value = setting
        elif isinstance(setting, str):
            info.hparams[name].string_value = setting
        else:
            info.hparams[name].number_value = setting
    return _hparams(SESSION_START, HParamsPluginData(session_start_info=info))


def session_end(succeeded: bool) -> Any:
    """How a trial ended, for the table of hyperparameters."""
    status = STATUS_SUCCESS if succeeded else STATUS_FAILURE
    info = SessionEndInfo(status=status, end_time_secs=time.time())
    return _hparams(SESSION_END, HParamsPluginData(session_end_info=info))


def _hparams(tag: str, data: Any) -> Any:
    # TensorBoard reads the metadata, and skips a value that has nothing else.
    nothing = TensorProto(dtype=DT_FLOAT, tensor_shape=_shape(0))
    return _value(tag, "hparams", nothing, data.SerializeToString())


def layout_value(charts: Layout) -> Any:
    """Charts of the Custom Scalars tab."""
    categories = [
        Category(title=title, chart=[_chart(*chart) for chart in inside.items()])
        for title, inside in charts.items()
    ]
    content = LayoutProto(category=categories).SerializeToString()
    return _value(LAYOUT, "custom_scalars", _string(content))


def _chart(title: str, content: Lines | Band) -> Any:
    if isinstance(content, Band):
        series = MarginChartContent.Series(**content._asdict())
        return Chart(title=title, margin=MarginChartContent(series=[series]))
    exactly = [f"{re.escape(tag)}$" for tag in content.tags]
    return Chart(title=title, multiline=MultilineChartContent(tag=exactly))


def _string(content: bytes) -> Any:
    return TensorProto(dtype=DT_STRING, tensor_shape=_shape(), string_val=[content])


def _value(
    tag: str,
    plugin: str,
    tensor: Any,
    content: bytes = b"",
    data_class: Any = DATA_CLASS_TENSOR,
) -> Any:
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    metadata = SummaryMetadata(plugin_data=data, data_class=data_class)
    return SummaryProto.Value(tag=tag, tensor=tensor, metadata=metadata)


def _shape(*sizes: int) -> Any:
    dimensions: Sequence[Any] = [TensorShapeProto.Dim(size=size) for size in sizes]
    return TensorShapeProto(dim=dimensions)
