"""The projector's files, read by TensorBoard's own projector plugin."""

import json
import os
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client
from werkzeug.wrappers import Response

from sweeps.errors import UserError
from sweeps.tensorboard.projector import write_embeddings
from sweeps.tensorboard.values import Embedding

RUN = "sweep/cell=gru,lr=0.1,id=1"


class Board:
    """TensorBoard's backend of the tab, on a folder with one run."""

    def __init__(self, logdir: Path) -> None:
        runs = SimpleNamespace(list_runs=lambda *_, **__: [SimpleNamespace(run_name=RUN)])
        plugin = ProjectorPlugin(TBContext(data_provider=runs, logdir=str(logdir)))
        self.clients = {r: Client(app, Response) for r, app in plugin.get_plugin_apps().items()}

    def get(self, route: str, **query: str) -> Any:
        answer = self.clients[route].get(query_string={"run": RUN, **query})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer

    def points(self, name: str) -> np.ndarray:
        (info,) = [i for i in self.get("/info").json["embeddings"] if i["tensorName"] == name]
        return np.frombuffer(self.get("/tensor", name=name).data, "<f4").reshape(
            info["tensorShape"]
        )

    def metadata(self, name: str) -> list[dict[str, str]]:
        """As the tab reads it: blank lines are skipped, the first line is the head if it has a
        tab in it, an empty cell becomes null."""
        text = self.get("/metadata", name=name).get_data(as_text=True)
        lines = [line for line in text.split("\n") if line.strip()]
        head = lines.pop(0).split("\t") if "\t" in lines[0] else ["label"]
        rows = [line.split("\t") for line in lines]
        assert all(len(row) == len(head) and all(row) for row in rows)
        return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / RUN
    path.mkdir(parents=True)
    return path


def embedding(vectors: np.ndarray, labels: list[str] | None = None) -> Embedding:
    labels = labels or [f"w{i}" for i in range(len(vectors))]
    return Embedding(vectors, [(label, "1") for label in labels], ("word", "frequency"))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_tensorboard_reads_back_vectors_and_what_they_are(directory: Path, tmp_path: Path) -> None:
    given = {"embedding": embedding(random(20, 5)), "output": embedding(random(30, 7))}
    write_embeddings(directory, given)
    board = Board(tmp_path)
    assert board.get("/runs").json == [RUN]
    for name, expected in given.items():
        np.testing.assert_array_equal(board.points(name), expected.vectors)
        rows = [dict(zip(expected.columns, row, strict=True)) for row in expected.rows]
        assert board.metadata(name) == rows


@pytest.mark.parametrize(
    "first",
    [b"\0\0\0\0", b"\n\0\0\0", b"a\n\xff\x3f", b"\xff\n\0\0", b"1\n2\n"],
    ids=["zeros", "newline", "text", "no text", "numbers"],
)
def test_vectors_whose_bytes_look_like_text_are_read_back_too(
    first: bytes, directory: Path, tmp_path: Path
) -> None:
    vectors = np.zeros((3, 2), "<f4")
    vectors[0, 0] = np.frombuffer(first, "<f4")[0]
    write_embeddings(directory, {"embedding": embedding(vectors)})
    np.testing.assert_array_equal(Board(tmp_path).points("embedding"), vectors)
    by_line = read_line_by_line(directory / "projector" / "embedding-3x2.tensor")
    np.testing.assert_array_equal(by_line, vectors)


def read_line_by_line(path: Path) -> np.ndarray:
    """As TensorBoard reads it where TensorFlow is installed, whose files decode line by line."""
    rows = []
    try:
        for line in path.read_bytes().split(b"\n"):
            if text := line.decode("utf-8"):
                rows.append([float(cell) for cell in text.split("\t")])
    except UnicodeDecodeError:
        return np.fromfile(path, "<f4").reshape(3, 2)
    return np.array(rows, "<f4")


def test_every_label_keeps_its_row_and_can_be_searched(directory: Path, tmp_path: Path) -> None:
    labels = ["\t", "\n", " ", "", "\u2028", "\r\n", '"', "a\tb", "\u00e9", "\\", "'s", "10"]
    write_embeddings(directory, {"output": embedding(random(len(labels), 2), labels)})
    shown = [row["word"] for row in Board(tmp_path).metadata("output")]
    assert shown == [
        *("\\t", "\\n", "\u2423", '""', "\\u2028", "\\r\\n"),
        *('"', "a\\tb", "\u00e9", "\\", "'s", "10"),
    ]


def test_a_single_column_has_no_head(directory: Path, tmp_path: Path) -> None:
    rows = [("word",), (" ",), ("b",)]
    write_embeddings(directory, {"x": Embedding(random(3, 2), rows, ("word",))})
    assert [row["label"] for row in Board(tmp_path).metadata("x")] == ["word", "\u2423", "b"]


def test_new_vectors_take_the_place_of_old_ones_while_tensorboard_runs(
    directory: Path, tmp_path: Path
) -> None:
    old, new = embedding(np.zeros((4, 3), np.float32)), embedding(random(4, 3))
    write_embeddings(directory, {"embedding": old})
    board = Board(tmp_path)
    np.testing.assert_array_equal(board.points("embedding"), old.vectors)
    write_embeddings(directory, {"embedding": new})
    # It keeps one tensor, whichever was asked for last.
    np.testing.assert_array_equal(Board(tmp_path).points("embedding"), new.vectors)
    write_embeddings(directory, {"embedding": embedding(random(2, 3))})
    assert Board(tmp_path).points("embedding").shape == (2, 3)
    assert len(list((directory / "projector").iterdir())) == 2


def test_configuration_names_complete_files_whenever_a_writer_is_stopped(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before each replacement of a file in turn: what is there is all old or all new."""
    sizes = {b"old": (4, 3), b"new": (5, 3)}
    replace = Path.replace
    seen = set()
    for stop in range(5):
        write_embeddings(directory, {"embedding": embedding(np.zeros(sizes[b"old"], np.float32))})
        left = iter(range(stop))

        def stopping(self: Path, target: Path, left: Any = left) -> Path:
            if next(left, None) is None:
                raise OSError(28, os.strerror(28))
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stopping)
            with suppress(UserError):
                write_embeddings(directory, {"embedding": embedding(np.ones(sizes[b"new"], "f4"))})
        board = Board(tmp_path)
        shape = board.points("embedding").shape
        assert len(board.metadata("embedding")) == shape[0]
        seen.add(shape)
    assert seen == set(sizes.values())


def test_full_disk_is_one_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_embeddings(directory, {"embedding": embedding(random(2, 2))})


def test_files_stay_inside_the_run_s_folder(directory: Path) -> None:
    write_embeddings(directory, {"embedding": embedding(random(2, 2))})
    config = (directory / "projector_config.pbtxt").read_text()
    assert json.loads(config.split("tensor_path: ")[1].splitlines()[0]).startswith("projector/")
