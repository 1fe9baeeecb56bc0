"""Record the README's picture: TensorBoard on a finished sweep, filtered to four of its runs.

pip install playwright
python scripts/picture.py outputs/layer_grid docs/layer_grid.png --chromium /usr/bin/chromium
"""

import argparse
import socket
import subprocess
import time
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

RUN_NAMES = "tb-runs-table-wrapper, runs-table, runs-data-table"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Start TensorBoard, open the filtered page, wait for its curves, save the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logdir")
    parser.add_argument("picture")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--filter", default="rnn_size=192")
    given = parser.parse_args()
    port = free_port()
    command = ["tensorboard", "--logdir", given.logdir, "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(8)
        with sync_playwright() as player:
            browser = player.chromium.launch(
                executable_path=given.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1500, "height": 1150})
            query = urlencode({"runFilter": given.filter, "tagFilter": "(train|valid)/(loss|perp)"})
            page.goto(f"http://127.0.0.1:{port}/?{query}#timeseries")
            page.wait_for_timeout(9000)
            shown = page.locator(RUN_NAMES).first.inner_text()
            names = [line for line in shown.splitlines() if "id=" in line]
            print(f"{len(names)} runs match {given.filter}", *names, sep="\n")
            page.screenshot(path=given.picture)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
