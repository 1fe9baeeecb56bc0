"""Record a picture of the documentation: TensorBoard on a finished sweep, filtered.

python scripts/tensorboard_picture.py outputs/layer_grid docs/layer_grid.png
python scripts/tensorboard_picture.py outputs/plateau docs/plateau_curves.png --filter 'lr=0\\.5,' \
    --tags 'train/loss|grad_norm$|saturation/hid_out' --height 620
python scripts/tensorboard_picture.py outputs/plateau docs/plateau_hidden.png --filter lr= \
    --tags within_activations/hid_out --height 850

It needs Playwright, of the extra `dev`, and the system's Chromium.
"""

import argparse
from urllib.parse import urlencode

from benchmarks.tensorboard import browser

TAGS = "^(train|valid)/(loss|perplexity)$"
DRAWN = "scalar-card tb-data-table-content-row, histogram-card tb-histogram path"
"""What a card has once its data have come."""
SETTINGS = 'button:has-text("Settings")'
"""Closes the panel at the page's right side, which takes room from the cards."""


def main() -> None:
    """Start TensorBoard, open the filtered page, wait for its cards, save the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("picture")
    parser.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    parser.add_argument("--filter", default="rnn_size=192", help="of runs")
    parser.add_argument("--tags", default=TAGS, help="filter of tags")
    parser.add_argument("--height", type=int, default=640)
    given = parser.parse_args()
    query = urlencode({"runFilter": given.filter, "tagFilter": given.tags, "smoothing": "0"})
    with browser.board(given.folder) as board, browser.browser(given.chromium) as opened:
        page = opened.new_page(viewport={"width": 1500, "height": given.height})
        page.goto(f"{board.url}?{query}#timeseries")
        page.locator(DRAWN).first.wait_for(state="attached")
        page.locator(SETTINGS).first.click()
        page.wait_for_timeout(4000)  # for the other cards
        names = browser.listed_runs(page)
        print(f"{len(names)} runs match {given.filter}", *names, sep="\n")
        page.screenshot(path=given.picture)


if __name__ == "__main__":
    main()
