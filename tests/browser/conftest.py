"""A headless browser on sweeps of Sherlock Holmes, skipped where there is none of either."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tensorboard import browser

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
SECONDS = 60
"""How long the page may take for anything."""
SMALL = (
    "data=sherlock",
    "data.vocab_size=1000",
    "model.cell=rnn",
    "model.embed_size=16",
    "model.rnn_size=16",
    "model.hidden_size=16",
    "train.batch_size=64",
    "train.epochs=2",
    "log.histogram_every=50",
    "log.sample_words=12",
    "log.embedding_words=300",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's browser."""
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def outputs(
    chromium: object, real_data: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sweeps `clip_level` and `learning_rate`, small."""
    folder = tmp_path_factory.mktemp("outputs")
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    where = [f"data.root={real_data('sherlock')}", f"output_dir={folder}"]
    for name in ("clip_level", "learning_rate"):
        command = [sys.executable, "-m", "lm.sweep", f"+sweep={name}", *SMALL, *where]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def trials(outputs: Path) -> set[str]:
    """What TensorBoard calls the trials."""
    return {path.parent.relative_to(outputs).as_posix() for path in outputs.glob("*/*/trial.json")}


@pytest.fixture(scope="session")
def url(outputs: Path) -> Iterator[str]:
    """TensorBoard's address, as `lm.board` starts it."""
    with browser.board(outputs) as board:
        yield board.url


@pytest.fixture
def page(
    chromium: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A page, of which a picture is taken at the end."""
    opened = chromium.new_page(viewport={"width": 1500, "height": 1100})
    opened.set_default_timeout(1000 * SECONDS)
    yield opened
    SCREENSHOTS.mkdir(exist_ok=True)
    opened.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
    opened.close()
