"""What a run shows beside its metrics, read back by TensorBoard's own readers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from sweeps.run import Run
from sweeps.views import Histogram, Text

CONTEXT = RequestContext()


def provider(folder: Path) -> MultiplexerDataProvider:
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    return MultiplexerDataProvider(multiplexer, str(folder))


def tensors(folder: Path, plugin: str) -> Mapping[str, list[tuple[int, Any]]]:
    """Steps and values of each tag that TensorBoard shows for a plugin, of the run in a folder."""
    data = provider(folder)
    ask: dict[str, Any] = {"experiment_id": "", "plugin_name": plugin}
    tags = data.list_tensors(CONTEXT, **ask).get(".", {})
    only = RunTagFilter(runs=["."], tags=list(tags))
    found = data.read_tensors(CONTEXT, **ask, run_tag_filter=only, downsample=100).get(".", {})
    return {tag: [(datum.step, datum.numpy) for datum in data] for tag, data in found.items()}


def histogram(mean: float) -> Histogram:
    return Histogram([mean - 1, mean, mean + 1], [3.0, 4.0])


def test_histograms_and_texts_are_shown_as_they_were_given(tmp_path: Path) -> None:
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.show(0, {"within/a": histogram(0.0), "samples": Text("*once* upon a time, naïve")})
        run.report(10, {"loss": 1.0})
        run.show(10, {"within/a": histogram(5.0)})
    shown = tensors(tmp_path, "histograms")["within/a"]
    assert [step for step, _ in shown] == [0, 10]
    np.testing.assert_array_equal(shown[1][1], [[4, 5, 3], [5, 6, 4]])
    [(step, text)] = tensors(tmp_path, "text")["samples"]
    assert (step, text.item().decode()) == (0, "*once* upon a time, naïve")
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == "step,wall_time,loss"


def test_resumed_run_shows_nothing_of_after_its_checkpoint(tmp_path: Path) -> None:
    for start, mean in ((0, 0.0), (20, 9.0)):
        with Run(tmp_path, metric="loss", mode="min") as run:
            if start:
                run.resume_at(start)
            for step in range(start + 10, start + 40, 10):
                run.show(step, {"a": histogram(mean)})
                run.report(step, {"loss": mean})
    shown = [(step, rows[0][1]) for step, rows in tensors(tmp_path, "histograms")["a"]]
    assert shown == [(10, 0), (20, 0), (30, 9), (40, 9), (50, 9)]


def test_graph_is_kept_whenever_it_comes_and_a_new_one_takes_its_place(tmp_path: Path) -> None:
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.node_def_pb2 import NodeDef

    def graph(name: str) -> bytes:
        return bytes(GraphDef(node=[NodeDef(name=name, op="Dot")]).SerializeToString())

    with Run(tmp_path, metric="loss", mode="min") as run:
        run.show_graph(graph("before"))
        run.report(10, {"loss": 1.0})
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.resume_at(10)
        run.show_graph(graph("after"))
        run.report(20, {"loss": 1.0})
    data = provider(tmp_path)
    runs = data.list_blob_sequences(CONTEXT, experiment_id="", plugin_name="graphs")
    [tag] = runs["."]
    only = RunTagFilter(runs=["."], tags=[tag])
    sequences = data.read_blob_sequences(
        CONTEXT, experiment_id="", plugin_name="graphs", run_tag_filter=only, downsample=10
    )
    shown = [data.read_blob(CONTEXT, blob_key=d.values[0].blob_key) for d in sequences["."][tag]]
    assert [GraphDef.FromString(blob).node[0].name for blob in shown] == ["after"]


def test_histogram_without_fitting_edges_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="a: 2 buckets have 2 edges"),
        Run(tmp_path, metric="loss", mode="min") as run,
    ):
        run.show(0, {"a": Histogram([0.0, 1.0], [3.0, 4.0])})
