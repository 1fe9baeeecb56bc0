"""Record the README's picture of a report, in which the best and the worst trial are kept.

pip install playwright
python -m lm.compare outputs/layer_grid --html report.html
python scripts/report_picture.py report.html docs/report.png --chromium /usr/bin/chromium
"""

import argparse
from pathlib import Path

from benchmarks.tensorboard.browser import browser, painted


def main() -> None:
    """Open the page, wait for its charts, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture")
    parser.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    given = parser.parse_args()
    with browser(given.chromium) as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 1240})
        page.goto(given.page.absolute().as_uri())
        trials = page.locator("tbody input[type=checkbox]")
        for place in (0, trials.count() - 1):
            trials.nth(place).check()
        page.evaluate("scrollTo(0, 0)")
        painted(page)
        page.screenshot(path=given.picture)


if __name__ == "__main__":
    main()
