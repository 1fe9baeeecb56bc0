import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lm.data.download import DownloadError, fetch

CONTENT = b"line\n" * 50_000


class Library(BaseHTTPRequestHandler):
    """Serves one book whole, and one whose connection breaks off."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/broken"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:100_000])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def library() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Library)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def unchanged(content: bytes) -> bytes:
    return content


def test_file_arrives_whole_in_a_new_folder(library: str, tmp_path: Path) -> None:
    fetch(f"{library}/whole", tmp_path / "new" / "book.txt", unchanged)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["book.txt"]
    assert (tmp_path / "new" / "book.txt").read_bytes() == CONTENT


def test_broken_off_download_leaves_nothing(library: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"100000 (of 250000 bytes|bytes read)"):
        fetch(f"{library}/broken", tmp_path / "book.txt", unchanged)
    assert not list(tmp_path.iterdir())


def test_broken_off_download_keeps_what_was_there(library: str, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"old")
    with pytest.raises(DownloadError):
        fetch(f"{library}/broken", tmp_path / "book.txt", unchanged)
    assert (tmp_path / "book.txt").read_bytes() == b"old"


def test_interrupted_download_leaves_nothing(library: str, tmp_path: Path) -> None:
    def interrupt(content: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{library}/whole", tmp_path / "book.txt", interrupt)
    assert not list(tmp_path.iterdir())


def test_interruption_between_write_and_rename_leaves_nothing(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(f"{library}/whole", tmp_path / "book.txt", unchanged)
    assert not list(tmp_path.iterdir())


def test_refused_content_leaves_nothing(library: str, tmp_path: Path) -> None:
    def refuse(content: bytes) -> bytes:
        raise DownloadError("what came is not the book")

    with pytest.raises(DownloadError, match="not the book"):
        fetch(f"{library}/whole", tmp_path / "book.txt", refuse)
    assert not list(tmp_path.iterdir())


def test_status_of_the_server_is_named(library: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        fetch(f"{library}/nowhere", tmp_path / "book.txt", unchanged)


def test_no_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="refused"):
        fetch("http://127.0.0.1:9/book", tmp_path / "book.txt", unchanged)


def test_unwritable_folder_is_named(library: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match="file"):
        fetch(f"{library}/whole", tmp_path / "file" / "book.txt", unchanged)
