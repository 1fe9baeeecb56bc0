from collections.abc import Callable
from pathlib import Path

import pytest

from lm.data import download
from lm.data.download import DownloadError
from lm.data.gutenberg import SHERLOCK, extract_book, read_sherlock
from sweeps.errors import UserError

NAMES = [book.filename for book in SHERLOCK]


def ebook(text: str) -> str:
    return (
        "The Project Gutenberg eBook of X\r\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n"
        f"{text}\r\nEnd of Project Gutenberg's X\r\n"
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***\r\n*** START: FULL LICENSE ***\r\nno fee\r\n"
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lm-sweeps" / "sherlock"


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Puts texts at the books' addresses; returns the list of addresses asked for."""

    def serve(*texts: str) -> list[str]:
        pages = {book.url: text for book, text in zip(SHERLOCK, texts, strict=False)}
        asked: list[str] = []

        def receive(url: str, name: str) -> bytes:
            asked.append(url)
            if url not in pages:
                raise OSError("no route to host")
            return pages[url].encode()

        monkeypatch.setattr(download, "_receive", receive)
        return asked

    return serve


def test_preamble_licence_and_lines_that_name_the_project_are_cut() -> None:
    assert extract_book(ebook("one\r\ntwo").replace("\r\n", "\n")) == "one\ntwo\n"


@pytest.mark.parametrize("text", ["a\nb", "*** START X\na\n", "*** END X\na\n*** START X\nb\n"])
def test_text_without_both_markers_has_no_body(text: str) -> None:
    assert extract_book(text) is None


def test_books_are_read_in_the_study_s_order(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text(ebook(name[:4]))
    assert read_sherlock(tmp_path).split() == ["adve", "houn", "sign"]


def test_study_s_files_have_24080_lines(real_data: Callable[[str], str]) -> None:
    assert read_sherlock(Path(real_data("sherlock"))).count("\n") == 24_080


def test_missing_local_files_are_named_with_their_addresses(tmp_path: Path) -> None:
    (tmp_path / NAMES[1]).write_text(ebook("x"))
    with pytest.raises(UserError) as error:
        read_sherlock(tmp_path)
    sentence = str(error.value)
    assert str(tmp_path) in sentence
    assert NAMES[1] not in sentence
    for book in (SHERLOCK[0], SHERLOCK[2]):
        assert book.filename in sentence
        assert book.url in sentence


def test_local_file_without_markers_is_refused(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_text("a page that says sorry")
    with pytest.raises(UserError, match=r"adventures.*not a whole Project Gutenberg text"):
        read_sherlock(tmp_path)


def test_books_are_downloaded_once(cache: Path, web: Callable[..., list[str]]) -> None:
    asked = web(*(ebook(letter * 100_000) for letter in "abc"))
    first = read_sherlock(None)
    assert read_sherlock(None) == first
    assert asked == [book.url for book in SHERLOCK]
    assert sorted(path.name for path in cache.iterdir()) == NAMES
    assert [line[0] for line in first.splitlines()] == ["a", "b", "c"]


def test_downloaded_typography_is_that_of_plain_text(
    cache: Path, web: Callable[..., list[str]]
) -> None:
    fancy = "\u201cDon\u2019t\u201d\u2014_never_ " + "x" * 100_000
    web(ebook(fancy), ebook("x" * 100_000), ebook("x" * 100_000))
    assert read_sherlock(None).startswith('"Don\'t"--never x')


def test_wrong_page_is_not_kept(cache: Path, web: Callable[..., list[str]]) -> None:
    web("<html>too many requests</html>")
    with pytest.raises(UserError, match="what came is not the book"):
        read_sherlock(None)
    assert not cache.exists()


def test_without_network_the_error_says_which_files_to_put_where(
    cache: Path, web: Callable[..., list[str]]
) -> None:
    web()
    with pytest.raises(UserError) as error:
        read_sherlock(None)
    sentence = str(error.value)
    assert "no route to host" in sentence
    assert str(cache) in sentence
    assert "data.root=DIR" in sentence
    for book in SHERLOCK:
        assert f"{book.filename} (from {book.url})" in sentence


def test_after_a_failure_only_the_missing_books_are_downloaded(
    cache: Path, web: Callable[..., list[str]]
) -> None:
    texts = [ebook(letter * 100_000) for letter in "abc"]
    web(*texts[:2])
    with pytest.raises(UserError, match="no route to host") as error:
        read_sherlock(None)
    assert NAMES[0] not in str(error.value)
    asked = web(*texts)
    read_sherlock(None)
    assert asked == [SHERLOCK[2].url]


def test_download_error_is_the_cause(cache: Path, web: Callable[..., list[str]]) -> None:
    web()
    with pytest.raises(UserError) as error:
        read_sherlock(None)
    assert isinstance(error.value.__cause__, DownloadError)
