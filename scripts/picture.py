"""Record the README's picture: TensorBoard on a finished sweep, filtered to four of its runs.

pip install playwright
python scripts/picture.py outputs/layer_grid docs/layer_grid.png --chromium /usr/bin/chromium
"""

import argparse
from urllib.parse import urlencode

from benchmarks import browser

TAGS = "^(train|valid)/(loss|perplexity)$"


def main() -> None:
    """Start TensorBoard, open the filtered page, wait for its curves, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("picture")
    parser.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    parser.add_argument("--filter", default="rnn_size=192")
    given = parser.parse_args()
    query = urlencode({"runFilter": given.filter, "tagFilter": TAGS})
    with browser.board(given.folder) as board, browser.browser(given.chromium) as opened:
        page = opened.new_page(viewport={"width": 1500, "height": 1150})
        page.goto(f"{board.url}?{query}#timeseries")
        page.locator("scalar-card tb-data-table-content-row").first.wait_for()
        page.wait_for_timeout(3000)  # for the other cards
        names = browser.listed_runs(page)
        print(f"{len(names)} runs match {given.filter}", *names, sep="\n")
        page.screenshot(path=given.picture)


if __name__ == "__main__":
    main()
