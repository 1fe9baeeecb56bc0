"""Record a picture of the gradient flow of runs.

pip install playwright
python -m lm.gradient_flow outputs/gradient_flow --html flow.html
python scripts/gradient_flow_picture.py flow.html docs/gradient_flow.png \\
    --view 'scale=log' --point 300,100
"""

import argparse
from pathlib import Path

from benchmarks.tensorboard.browser import browser


def main() -> None:
    """Open the page, point at the first trial's figure, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture")
    parser.add_argument("--chromium", help="the browser (default: the one on the PATH)")
    parser.add_argument("--view", default="", help="the address after its #")
    parser.add_argument("--point", help="X,Y in the first trial's figure, in pixels")
    parser.add_argument("--height", type=int, default=836, help="of the picture")
    given = parser.parse_args()
    with browser(given.chromium) as opened:
        page = opened.new_page(viewport={"width": 1280, "height": given.height})
        page.goto(f"{given.page.absolute().as_uri()}#{given.view}")
        page.locator("main#flow[data-ready]:not([aria-busy])").wait_for()
        if given.point:
            x, y = map(float, given.point.split(","))
            page.locator(".panel.a .figure").hover(position={"x": x, "y": y})
        page.screenshot(path=given.picture)


if __name__ == "__main__":
    main()
