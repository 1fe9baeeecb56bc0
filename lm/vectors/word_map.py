"""A map of words: t-SNE of word vectors as one HTML page with a search.

The page works from disk, without a network. map/page.html is its frame, map/page.css its style,
map/draw.js and map/page.js its program; the page holds the numbers.

V words of a table, D numbers of each, K neighbors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm.data.vocabulary import visible
from lm.vectors.scores import normalize_rows
from lm.vectors.word_vectors import WordVectors, most_frequent
from sweeps.errors import UserError
from sweeps.io import html

NEIGHBORS = 15
"""Number of neighbors that the page lists for each word."""

PERPLEXITY = 30.0
"""Effective number of neighbors of t-SNE (van der Maaten and Hinton 2008 take 5 to 50)."""

_FOLDER = Path(__file__).parent / "map"


def write_map(path: Path, tables: Sequence[WordVectors], words: int = 2048, seed: int = 0) -> None:
    """Write the page; equal tables give equal pages.

    Args:
      path: the file; its folder exists.
      tables: shown one at a time; at least one.
      words: number of the most frequent words of each table that are shown.
      seed: of t-SNE.

    Raises:
      UserError: a table has no finite numbers, or too few words, or the file cannot be written.
    """
    text = render_map([table_data(most_frequent(one, words), seed) for one in tables])
    html.write_page(path, text, "--page")


def table_data(vectors: WordVectors, seed: int) -> dict[str, Any]:
    """Data of one table for the page: positions in [0, 1], and neighbors by falling cosine."""
    if len(vectors.words) < 3 or not np.isfinite(vectors.matrix).all():
        raise UserError(
            f"a map of {vectors.name} needs three words or more, and finite numbers; give vectors "
            "of a model that did not diverge."
        )
    unit_vd = normalize_rows(vectors.matrix)
    ids_vk, cosines_vk = nearest_neighbors(unit_vd, NEIGHBORS)
    return {
        "name": vectors.name,
        "words": [visible(word) for word in vectors.words],
        "counts": vectors.counts,
        "places": np.round(tsne_positions(unit_vd, seed), 4).tolist(),
        "near": ids_vk.tolist(),
        "cosines": np.round(cosines_vk.astype(float), 3).tolist(),
    }


def nearest_neighbors(
    unit_vd: NDArray[np.float32], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Nearest other words of each word, and their cosines, [V, K]; of equals the more frequent."""
    cosines_vv = unit_vd @ unit_vd.T
    np.fill_diagonal(cosines_vv, -np.inf)
    ids_vk = np.argsort(-cosines_vv, axis=1, kind="stable")[:, : min(count, len(unit_vd) - 1)]
    return ids_vk, np.take_along_axis(cosines_vv, ids_vk, axis=1)


def tsne_positions(unit_vd: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """Positions of words in the plane by t-SNE, [V, 2]; the longer side is from 0 to 1.

    The squared distance of vectors of length 1 is 2 - 2 * cosine.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    points = np.pad(unit_vd.astype(np.float64), ((0, 0), (0, 1)))  # two numbers, if D is one
    spread = TSNE(perplexity=min(PERPLEXITY, (len(points) - 1) / 3), random_state=seed)
    with threadpool_limits(1):  # the order of sums, and so the picture, depends on it
        found_v2 = np.asarray(spread.fit_transform(points), np.float64)
    found_v2 -= found_v2.min(axis=0)
    scaled: NDArray[np.float64] = found_v2 / found_v2.max()
    return scaled


def render_map(tables: Sequence[dict[str, Any]]) -> str:
    """Render the page's HTML."""
    return html.render(
        _file("page.html"),
        f"Words: {', '.join(table['name'] for table in tables)}",
        {"tables": tables},
        style=_file("page.css"),
        program=_file("draw.js") + _file("page.js"),
    )


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
