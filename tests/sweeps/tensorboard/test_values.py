"""What a run shows beside its metrics, read back by TensorBoard's own readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef

from sweeps.tensorboard.values import Blob, Histogram, Tensor, Text
from sweeps.tracking import Run

Look = Callable[[Path], Any]


def histogram(mean: float) -> Histogram:
    return Histogram([mean - 1, mean, mean + 1], [3.0, 4.0])


def test_histograms_and_texts_are_shown_as_they_were_given(tmp_path: Path, look: Look) -> None:
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.log_summaries(
            0, {"within/a": histogram(0.0), "samples": Text("*once* upon a time, naïve")}
        )
        run.report(10, {"loss": 1.0})
        run.log_summaries(10, {"within/a": histogram(5.0)})
    board = look(tmp_path)
    shown = board.tensors("histograms")["within/a"]
    assert [step for step, _ in shown] == [0, 10]
    np.testing.assert_array_equal(shown[1][1], [[4, 5, 3], [5, 6, 4]])
    assert board.texts() == {"samples": [(0, "*once* upon a time, naïve")]}
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == "step,wall_time,loss"


def test_a_plugin_gets_its_tensors_and_bytes_and_what_it_is_told(
    tmp_path: Path, look: Look
) -> None:
    def views(step: int) -> dict[str, Any]:
        content = b"told" if step != 20 else b"told later"
        values = [[step, 0.5, -1.0]]
        return {"a": Tensor(values, "mine", content), "b": Blob(b"\x00%d" % step, "mine", content)}

    for start in (0, 20):  # in two processes
        with Run(tmp_path, metric="loss", mode="min") as run:
            if start:
                run.resume_at(10)
            for step in (start, start + 10):
                run.log_summaries(step, views(step))
                run.report(step, {"loss": 1.0})
    board = look(tmp_path)
    steps = [0, 10, 20, 30]
    tensors = board.tensors("mine")["a"]
    assert [step for step, _ in tensors] == steps
    np.testing.assert_array_equal(tensors[1][1], np.array([[10, 0.5, -1]], np.float32))
    assert board.blobs("mine") == {"b": [(step, [b"\x00%d" % step]) for step in steps]}
    assert board.contents("mine") == {"b": b"told"}
    assert board.tensors("other") == {}
    written = [path.read_bytes().count(b"told") for path in tmp_path.glob("events*")]
    assert written == [2, 2]  # once a tag and a process


def test_resumed_run_shows_nothing_of_after_its_checkpoint(tmp_path: Path, look: Look) -> None:
    for start, mean in ((0, 0.0), (20, 9.0)):
        with Run(tmp_path, metric="loss", mode="min") as run:
            if start:
                run.resume_at(start)
            for step in range(start + 10, start + 40, 10):
                run.log_summaries(step, {"a": histogram(mean)})
                run.report(step, {"loss": mean})
    shown = [(step, rows[0][1]) for step, rows in look(tmp_path).tensors("histograms")["a"]]
    assert shown == [(10, 0), (20, 0), (30, 9), (40, 9), (50, 9)]


def test_graph_is_kept_whenever_it_comes_and_a_new_one_takes_its_place(
    tmp_path: Path, look: Look
) -> None:
    def graph(name: str) -> bytes:
        return bytes(GraphDef(node=[NodeDef(name=name, op="Dot")]).SerializeToString())

    with Run(tmp_path, metric="loss", mode="min") as run:
        run.log_graph(graph("before"))
        run.report(10, {"loss": 1.0})
    assert "before" in look(tmp_path).graph()
    with Run(tmp_path, metric="loss", mode="min") as run:
        run.resume_at(10)
        run.log_graph(graph("after"))
        run.report(20, {"loss": 1.0})
    board = look(tmp_path)
    assert "after" in board.graph()
    assert "before" not in board.graph()
    assert board.scalars()["loss"] == [(10, 1.0), (20, 1.0)]


def test_histogram_without_fitting_edges_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="a: 2 buckets have 2 edges"),
        Run(tmp_path, metric="loss", mode="min") as run,
    ):
        run.log_summaries(0, {"a": Histogram([0.0, 1.0], [3.0, 4.0])})
