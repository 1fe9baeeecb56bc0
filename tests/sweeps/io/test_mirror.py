"""A folder on a store and its local mirror."""

import io
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.errors import UserError
from sweeps.io.mirror import PARTIAL, Mirror, beside_trials, is_safe_name, without_checkpoints
from sweeps.io.retry import VARIABLE

Connect = Callable[[str], Mirror]


@pytest.fixture(autouse=True)
def no_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails is not waited for; `test_retry.py` tests that it is."""
    monkeypatch.setenv(VARIABLE, "0")


@pytest.fixture(params=["file", "memory"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    """Name of a local folder -> its mirror of one and the same store."""
    where = {"file": f"file://{tmp_path}/store", "memory": f"memory://{uuid.uuid4().hex}/store"}
    return lambda name: Mirror(where[request.param], tmp_path / name)


def write(mirror: Mirror, **files: str) -> None:
    """Give the folder `grid/a` exactly these files; `__` stands for a slash."""
    for path in [path for path in (mirror.local / "grid/a").rglob("*") if path.is_file()]:
        path.unlink()
    for name, text in files.items():
        path = mirror.local / "grid/a" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(mirror: Mirror) -> dict[str, str]:
    """All files of the local folder."""
    files = (path for path in mirror.local.rglob("*") if path.is_file())
    return {path.relative_to(mirror.local).as_posix(): path.read_text() for path in files}


def test_what_is_pushed_is_pulled_elsewhere(connect: Connect) -> None:
    worker, driver = connect("worker"), connect("driver")
    write(worker, result="1", checkpoints__5__state="five", empty="")
    worker.push("grid/a")
    driver.pull()
    assert read(driver) == read(worker)
    assert driver.list_names() == ["grid"]
    assert driver.list_names("grid/a") == ["checkpoints", "empty", "result"]
    assert driver.list_names("grid/a/checkpoints") == ["5"]


def test_a_store_without_the_folder_is_an_empty_one(connect: Connect) -> None:
    mirror = connect("worker")
    mirror.pull("grid/a")
    assert mirror.list_names() == []
    mirror.push("grid/a")
    assert read(mirror) == {}


def test_a_push_removes_what_is_gone_and_updates_what_changed(connect: Connect) -> None:
    worker, driver = connect("worker"), connect("driver")
    write(worker, result="running", checkpoints__5__state="five")
    worker.push("grid/a")
    driver.pull()
    write(worker, result="stopped", checkpoints__7__state="seven")
    worker.push("grid/a")
    assert driver.list_names("grid/a/checkpoints") == ["7"]
    driver.pull("grid/a")
    assert read(driver) == {"grid/a/result": "stopped", "grid/a/checkpoints/7/state": "seven"}
    assert not (driver.local / "grid/a/checkpoints/5").exists()


def test_files_that_are_not_wanted_stay_on_both_sides(connect: Connect) -> None:
    worker, driver = connect("worker"), connect("driver")
    write(worker, result="1", checkpoints__5__state="five")
    worker.push("grid/a")
    driver.pull(wanted=without_checkpoints)
    assert read(driver) == {"grid/a/result": "1"}
    (driver.local / "grid/results.csv").write_text("table")
    driver.push("grid", wanted=beside_trials)
    driver.push("grid", wanted=without_checkpoints)
    worker.pull()
    assert read(worker) == {
        "grid/results.csv": "table",
        "grid/a/result": "1",
        "grid/a/checkpoints/5/state": "five",
    }


def test_a_push_touches_no_other_trial(connect: Connect) -> None:
    one, other = connect("one"), connect("other")
    write(one, result="1")
    one.push("grid/a")
    path = other.local / "grid/ab/result"
    path.parent.mkdir(parents=True)
    path.write_text("2")
    other.push("grid/ab")
    write(one)
    one.push("grid/a")
    assert one.list_names("grid/ab") == ["result"]
    assert one.list_names("grid/a") == []


def test_unchanged_files_are_not_sent_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = connect("worker")
    write(worker, result="1", events="e")
    worker.push("grid/a")
    sent: list[str] = []
    send = worker._write

    def watch(place: str, data: bytes) -> None:
        sent.append(Path(place).name)
        send(place, data)

    monkeypatch.setattr(worker, "_write", watch)
    write(worker, result="2", events="e")
    worker.push("grid/a")
    assert sent == [f"result{PARTIAL}"]


def test_deep_files_are_sent_first(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = connect("worker")
    write(worker, result="1", checkpoints__5__state="five")
    sent: list[str] = []
    monkeypatch.setattr(worker, "_upload", lambda path, stamp: sent.append(path))
    worker.push("grid/a")
    assert sent == ["grid/a/checkpoints/5/state", "grid/a/result"]


def test_a_push_that_dies_leaves_the_old_file(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, driver = connect("worker"), connect("driver")
    write(worker, result="old")
    worker.push("grid/a")
    write(worker, result="new", more="x")
    send: Any = worker._write

    def die(place: str, data: bytes) -> None:
        send(place, data[:1])
        raise OSError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_write", die)
        with pytest.raises(UserError, match="connection lost"):
            worker.push("grid/a")
    driver.pull()
    assert read(driver) == {"grid/a/result": "old"}
    assert driver.list_names("grid/a") == ["result"]
    worker.push("grid/a")
    driver.pull()
    assert read(driver) == read(worker)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nosuch://bucket/x", "output_dir=nosuch://bucket/x cannot be opened"),
        ("s3:///x", "Missing bucket name"),
        ("file://~/x", "cannot be opened"),
    ],
)
def test_a_bad_url_gets_a_sentence(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        Mirror(url, tmp_path)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "denied"), "refuses access"),
        (OSError("AWS Error ACCESS_DENIED during PutObject"), "refuses access"),
        (OSError("Could not resolve hostname"), "cannot be reached"),
        (ImportError("Install s3fs to access S3"), "needs a package"),
    ],
)
def test_a_stores_errors_are_told_in_a_sentence(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    mirror = connect("worker")

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(mirror, "_list", fail)
    for work in (mirror.pull, mirror.push, mirror.list_names):
        with pytest.raises(UserError, match=words):
            work()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("grid/rate=0.1,id=ab/checkpoints/5/state.npz", True),
        ("grid/..a/b..", True),
        ("..", False),
        ("grid/../../.bashrc", False),
        ("grid/./a", False),
        ("/etc/passwd", False),
        ("grid//etc/passwd", False),
        ("grid/", False),
        ("", False),
        ("grid\\..\\a", False),
        ("C:/a", False),
        ("grid/a\0b", False),
    ],
)
def test_a_name_is_safe_if_it_stays_in_the_folder(name: str, safe: bool) -> None:
    assert is_safe_name(name) is safe


@pytest.mark.parametrize("name", ["../escaped", "../../escaped", "a/../../../escaped", "//escaped"])
def test_an_object_s_name_leads_to_no_file_outside_of_the_mirror(
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The name is one that its writer chose, as in a bucket any name can be."""
    mirror = Mirror(f"memory://{uuid.uuid4().hex}/store", tmp_path / "cache" / "worker")
    write(mirror, result="1")
    mirror.push("grid")
    listed: Any = mirror._files.get_file_info

    class Files:
        """The store, with one more object in the folder's listing, and with any content."""

        def __getattr__(self, item: str) -> Any:
            return getattr(files, item)

        def get_file_info(self, what: Any) -> Any:
            found = listed(what)
            if isinstance(found, list):
                [example] = [info for info in found if info.is_file]
                found.append(Object(f"{example.path.removesuffix('a/result')}{name}"))
            return found

        def open_input_stream(self, path: str) -> Any:
            return io.BytesIO(b"x")

        def delete_file(self, path: str) -> None:
            raise AssertionError("a file outside of the folder is deleted")

    class Object:
        is_file, size, mtime_ns = True, 1, None

        def __init__(self, path: str) -> None:
            self.path = path

    files = mirror._files
    monkeypatch.setattr(mirror, "_files", Files())
    mirror.pull("grid")
    mirror.push("grid")
    assert not list(tmp_path.rglob("escaped"))
    assert read(mirror) == {"grid/a/result": "x"}
    assert "escaped" in caplog.text


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_in_a_store_on_a_disk_are_left_alone(tmp_path: Path, kind: str) -> None:
    """Who can write there could have the files of whoever pulls and pushes."""
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("secret")
    mirror = Mirror(f"file://{tmp_path}/store", tmp_path / "cache")
    write(mirror, result="1")
    mirror.push("grid/a")
    link = tmp_path / "store/grid/a/checkpoints"
    link.symlink_to(private if kind == "folder" else private / "key")
    mirror.pull("grid/a")
    assert read(mirror) == {"grid/a/result": "1"}
    mirror.push("grid/a")
    assert link.is_symlink()
    (mirror.local / "grid/a/checkpoints").mkdir()
    (mirror.local / "grid/a/checkpoints/key").write_text("written by the worker")
    with pytest.raises(UserError, match="is a link"):
        mirror.push("grid/a")
    assert (private / "key").read_text() == "secret"
    assert [path.name for path in private.iterdir()] == ["key"]


def test_links_in_the_local_copy_are_not_written_through(tmp_path: Path) -> None:
    url, private = f"file://{tmp_path}/store", tmp_path / "private"
    private.mkdir()
    one, other = Mirror(url, tmp_path / "one"), Mirror(url, tmp_path / "other")
    write(one, result="1")
    one.push("grid/a")
    (other.local / "grid").mkdir(parents=True)
    (other.local / "grid/a").symlink_to(private)
    with pytest.raises(UserError, match="grid/a is a link"):
        other.pull("grid/a")
    assert not list(private.iterdir())
