"""The map of words in a browser: searching, pointing, zooming, switching between tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tensorboard import browser
from lm.vectors.word_map import write_map
from lm.vectors.word_vectors import WordVectors

pytestmark = pytest.mark.slow

WORDS = [f"word{i}" for i in range(60)]


@pytest.fixture(scope="module")
def tables() -> list[WordVectors]:
    draw = np.random.default_rng(0)
    made = [draw.normal(size=(60, 8)).astype(np.float32) for _ in range(2)]
    return [
        WordVectors("embedding", WORDS, list(range(600, 0, -10)), made[0]),
        WordVectors("skip<gram>", [*WORDS[:59], "</script>"], None, made[1]),
    ]


@pytest.fixture
def shown(page: Any, tables: list[WordVectors], tmp_path: Path) -> Iterator[Any]:
    """The page, opened from disk; it complains of nothing, and asks nothing of a network."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    write_map(tmp_path / "words.html", tables)
    page.goto(f"file://{tmp_path}/words.html")
    browser.painted(page)
    yield page
    assert said == []
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]


def near(page: Any) -> list[tuple[str, float]]:
    rows = page.locator("#near li").all_inner_texts()
    return [(word, float(cosine)) for word, cosine in (row.split("\n") for row in rows)]


def nearest(vectors: WordVectors, word: str, count: int) -> list[tuple[str, float]]:
    """In float64."""
    matrix = vectors.matrix.astype(np.float64)
    own = matrix[vectors.words.index(word)]
    cosines = matrix @ own / np.linalg.norm(matrix, axis=1) / np.linalg.norm(own)
    order = np.argsort(-cosines)[1 : count + 1]
    return [(vectors.words[i], pytest.approx(cosines[i], abs=6e-4)) for i in order]


def find(page: Any, word: str) -> None:
    page.locator("#search").fill(word)
    page.keyboard.press("Enter")
    browser.painted(page)


def chosen_place(page: Any) -> tuple[float, float]:
    x, y = page.locator("canvas").get_attribute("data-chosen").split()
    return float(x), float(y)


def test_word_that_is_found_lists_its_neighbours_in_each_table(
    shown: Any, tables: list[WordVectors]
) -> None:
    find(shown, "WORD7")
    assert shown.locator("#chosen").inner_text() == "word7\n530 times, rank 8"
    assert near(shown) == nearest(tables[0], "word7", 15)
    shown.get_by_label("skip<gram>").check()
    assert shown.locator("#chosen").inner_text() == "word7\nrank 8"
    assert near(shown) == nearest(tables[1], "word7", 15)
    shown.locator("#near button").first.click()
    first = nearest(tables[1], "word7", 1)[0][0]
    assert near(shown) == nearest(tables[1], first, 15)
    find(shown, "</script>")
    assert near(shown) == nearest(tables[1], "</script>", 15)
    find(shown, "watson")
    assert "not among these words" in shown.locator("#chosen").inner_text()
    assert near(shown) == []


def test_word_is_pointed_at_clicked_and_brought_back_into_sight(shown: Any) -> None:
    find(shown, "word3")
    x, y = chosen_place(shown)
    find(shown, "")
    box = shown.locator("canvas").bounding_box()
    shown.mouse.move(box["x"] + x, box["y"] + y)
    assert shown.locator("#tip").inner_text() == "word3 570 times, rank 4"
    shown.mouse.wheel(0, -600)  # zooms around the pointer, whose place is whole pixels
    browser.painted(shown)
    shown.mouse.click(box["x"] + x, box["y"] + y)
    browser.painted(shown)
    assert chosen_place(shown) == pytest.approx((x, y), abs=2)
    assert re.match("word3\n", shown.locator("#chosen").inner_text())
    shown.mouse.down()
    shown.mouse.move(box["x"] + x + 3000, box["y"] + y)
    shown.mouse.up()
    browser.painted(shown)
    assert chosen_place(shown)[0] > box["width"]
    find(shown, "word3")
    assert 0 < chosen_place(shown)[0] < box["width"]


def test_there_are_more_labels_the_closer_one_looks(shown: Any) -> None:
    shown.set_viewport_size({"width": 620, "height": 500})
    browser.painted(shown)
    canvas = shown.locator("canvas")
    few = int(canvas.get_attribute("data-labels"))
    shown.set_viewport_size({"width": 1500, "height": 1100})
    browser.painted(shown)
    assert 0 < few < int(canvas.get_attribute("data-labels"))


def test_address_shows_the_same_word_of_the_same_table_again(
    shown: Any, tables: list[WordVectors]
) -> None:
    assert "#" not in shown.url
    find(shown, "word7")
    assert shown.url.endswith("#word=word7")
    shown.get_by_label("skip<gram>").check()
    find(shown, "</script>")
    address = shown.url
    for step in ("about:blank", address):
        shown.goto(step)
    browser.painted(shown)
    assert shown.get_by_label("skip<gram>").is_checked()
    assert shown.locator("#search").input_value() == "</script>"
    assert near(shown) == nearest(tables[1], "</script>", 15)
    shown.evaluate("location.hash = '#word=word3'")
    shown.locator("#chosen strong", has_text="word3").wait_for()
    assert near(shown) == nearest(tables[0], "word3", 15)
    shown.evaluate("location.hash = '#word=watson&table=none'")
    shown.locator("#chosen", has_text="not among these words").wait_for()
    find(shown, "")
    assert "#" not in shown.url
