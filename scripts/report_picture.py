"""Record the README's picture of a report, filtered as in its address.

pip install playwright
python -m lm.compare outputs/layer_grid --html report.html
python scripts/report_picture.py report.html docs/report.png --chromium /usr/bin/chromium
"""

import argparse
from pathlib import Path
from urllib.parse import quote

from benchmarks.tensorboard.browser import browser


def main() -> None:
    """Open the page, wait for its charts, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture")
    parser.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    parser.add_argument("--filter", default="hidden_size=96")
    given = parser.parse_args()
    with browser(given.chromium) as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 1240})
        page.goto(f"{given.page.absolute().as_uri()}#filter={quote(given.filter)}")
        page.wait_for_selector(".plotly .main-svg")
        page.wait_for_timeout(3000)  # for the charts to be drawn
        page.screenshot(path=given.picture)


if __name__ == "__main__":
    main()
