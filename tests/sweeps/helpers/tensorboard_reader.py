"""A tree of runs as TensorBoard sees it: its own readers, without a server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment
from tensorboard.plugins.hparams.list_session_groups import Handler

Points = list[tuple[int, Any]]
STATUSES = {0: "unknown", 1: "success", 2: "failure", 3: "running"}


class Board:
    """What TensorBoard shows of a folder."""

    def __init__(self, folder: Path) -> None:
        multiplexer = EventMultiplexer(size_guidance={}).AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        self._data = MultiplexerDataProvider(multiplexer, str(folder))
        self._context = TBContext(data_provider=self._data, logdir=str(folder))

    def scalars(self, run: str = ".") -> dict[str, Points]:
        """Step and value of each point, by tag."""
        read = self._data.read_scalars
        found = self._read(self._data.list_scalars, read, "scalars", run)
        return {tag: [(d.step, d.value) for d in data] for tag, data in found.items()}

    def tensors(self, plugin: str, run: str = ".") -> dict[str, Points]:
        """Step and array of each point, by tag."""
        read = self._data.read_tensors
        found = self._read(self._data.list_tensors, read, plugin, run)
        return {tag: [(d.step, d.numpy) for d in data] for tag, data in found.items()}

    def blobs(self, plugin: str, run: str = ".") -> dict[str, list[tuple[int, list[bytes]]]]:
        """Step and bytes of each sequence, by tag."""
        read = self._data.read_blob_sequences
        found = self._read(self._data.list_blob_sequences, read, plugin, run)
        get = self._data.read_blob
        return {
            tag: [
                (d.step, [get(RequestContext(), blob_key=ref.blob_key) for ref in d.values])
                for d in data
            ]
            for tag, data in found.items()
        }

    def contents(self, plugin: str, run: str = ".") -> dict[str, bytes]:
        """What a plugin is told of each tag of blobs."""
        ask = {"experiment_id": "", "plugin_name": plugin}
        found = self._data.list_blob_sequences(RequestContext(), **ask).get(run, {})
        return {tag: series.plugin_content for tag, series in found.items()}

    def texts(self, run: str = ".") -> dict[str, list[tuple[int, str]]]:
        """Step and Markdown of each text, by tag."""
        shown = self.tensors("text", run)
        return {tag: [(at, text.item().decode()) for at, text in shown[tag]] for tag in shown}

    def graph(self, run: str = ".") -> str:
        """The graph of a run, as the Graphs tab gets it."""
        plugin = GraphsPlugin(self._context)
        body, _ = plugin.graph_impl(RequestContext(), run, None, False, "")
        return str(body)

    def layout(self) -> Any:
        """The charts of the Custom Scalars tab."""
        return json.loads(CustomScalarsPlugin(self._context).layout_impl(RequestContext(), ""))

    def settings(self) -> dict[str, Any]:
        """The columns of the table of hyperparameters: name -> description."""
        return {info.name: info for info in self._experiment().hparam_infos}

    def metrics(self) -> list[str]:
        """The further columns of it."""
        return [info.name.tag for info in self._experiment().metric_infos]

    def rows(self) -> dict[str, Mapping[str, Any]]:
        """Its rows: settings, metrics, and the runs in it with their statuses."""
        request = api_pb2.ListSessionGroupsRequest(
            allowed_statuses=list(STATUSES), slice_size=1000, col_params=self._columns()
        )
        context = backend_context.Context(self._context)
        answer = Handler(RequestContext(), context, "", request).run()
        return {
            group.name: {
                **{name: _plain(value) for name, value in group.hparams.items()},
                **{value.name.tag: value.value for value in group.metric_values},
                "runs": {one.name: STATUSES[one.status] for one in group.sessions},
            }
            for group in answer.session_groups
        }

    def _columns(self) -> list[Any]:
        tags = {info.name.tag: info.name for info in self._experiment().metric_infos}
        return [
            *(api_pb2.ColParams(metric=name) for name in tags.values()),
            *(api_pb2.ColParams(hparam=name) for name in self.settings()),
        ]

    def _experiment(self) -> Any:
        context = backend_context.Context(self._context)
        request = api_pb2.GetExperimentRequest()
        return get_experiment.Handler(RequestContext(), context, "", request).run()

    def _read(self, list_all: Any, read: Any, plugin: str, run: str) -> dict[str, Any]:
        ask = {"experiment_id": "", "plugin_name": plugin}
        tags = list(list_all(RequestContext(), **ask).get(run, {}))
        only = RunTagFilter(runs=[run], tags=tags)
        found = read(RequestContext(), **ask, run_tag_filter=only, downsample=1000)
        return dict(found.get(run, {}))


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("kind"))
