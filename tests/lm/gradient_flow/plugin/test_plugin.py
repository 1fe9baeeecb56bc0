"""The server side of the tab, through TensorBoard's own loaders and over HTTP."""

import json
import struct
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest

from benchmarks.tensorboard.gradient_flow_runs import overview_row, write_run
from lm.gradient_flow.codec import decode
from lm.gradient_flow.plugin import tags
from lm.gradient_flow.plugin.loader import PLUGIN, Loader

ROOT = Path(__file__).parents[4]
RUN = "sweep/cell=lstm,id=ab"
STEPS = range(0, 3000, 100)
SERVER = """
import sys, time
from tensorboard import default, program
from lm.gradient_flow.plugin.loader import Loader
board = program.TensorBoard(plugins=[*default.get_static_plugins(), Loader()])
board.configure(logdir=sys.argv[1], port=0, load_fast=sys.argv[2], reload_interval=1)
print(board.launch(), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with 30 records, three times as many as TensorBoard keeps by itself, and another."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / RUN, STEPS, "lstm", length=9)
    write_run(folder / "sweep/cell=rnn,id=cd", [5], "rnn", length=9, version=9)
    return folder


@pytest.fixture(scope="module", params=["true", "false"], ids=["data server", "python loader"])
def url(request: pytest.FixtureRequest, runs: Path) -> Iterator[str]:
    """TensorBoard's address, with either of its loaders."""
    command = [sys.executable, "-c", SERVER, str(runs), request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            deadline = time.monotonic() + 60
            while len(ask(address, "runs")["runs"]) < 2 or len(overview(address)[0]) < 30:
                assert time.monotonic() < deadline, "the runs are not loaded"
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def get(url: str, route: str, **arguments: object) -> bytes:
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in arguments.items())
    with urlopen(f"{url}data/plugin/{PLUGIN}/{route}?{query}", timeout=60) as answer:
        return bytes(answer.read())


def ask(url: str, route: str) -> Any:
    return json.loads(get(url, route))


def framed(answer: bytes) -> tuple[dict[str, Any], bytes]:
    (size,) = struct.unpack_from("<I", answer)
    return json.loads(answer[4 : 4 + size]), answer[4 + size :]


def overview(url: str) -> tuple[list[int], np.ndarray]:
    try:
        header, body = framed(get(url, "overview", run=RUN))
    except HTTPError:  # not loaded by now
        return [], np.empty(0)
    return header["steps"], np.frombuffer(body, "<f4").reshape(header["shape"])


def test_every_record_is_kept_and_given_out_as_it_was_written(url: str) -> None:
    found = ask(url, "runs")["runs"]
    assert found[RUN]["last"] == STEPS[-1]
    assert found[RUN]["about"]["components"] == ["layer_1/h", "layer_1/c"]
    assert found["sweep/cell=rnn,id=cd"]["about"]["v"] == 9  # the page says what to do
    steps, values = overview(url)
    assert steps == list(STEPS)
    for step in (STEPS[0], STEPS[-1]):
        header, body = framed(get(url, "batch", run=RUN, step=step))
        assert {len(row) for row in header["labels"]["inputs"]} == {9}
        assert [name for name, _ in header["parts"]] == ["layer_1/c", "layer_1/h"]
        size = header["parts"][0][1]
        record = decode(body[size:])
        np.testing.assert_allclose(
            values[steps.index(step), 0], overview_row(record.norms), rtol=2e-3
        )


@pytest.mark.parametrize(
    ("route", "arguments", "code"),
    [
        ("overview", {"run": "none"}, 404),
        ("overview", {}, 400),
        ("batch", {"run": RUN, "step": 50}, 404),
        ("batch", {"run": "none", "step": 0}, 404),
        ("batch", {"run": RUN, "step": "-1"}, 400),
        ("static/../plugin.py", {}, 404),
        ("static/%2e%2e/plugin.py", {}, 404),
        ("static/nothing.js", {}, 404),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(
    url: str, route: str, arguments: dict[str, object], code: int
) -> None:
    with pytest.raises(HTTPError) as caught:
        get(url, route, **arguments)
    assert caught.value.code == code
    assert "Traceback" not in caught.value.read().decode()
    caught.value.close()


def test_page_is_served_as_a_program(url: str) -> None:
    for name, kind in {"index.js": "text/javascript", "index.css": "text/css"}.items():
        address = f"{url}data/plugin/{PLUGIN}/static/{name}"
        with urlopen(address, timeout=60) as answer:
            assert answer.headers.get_content_type() == kind
            assert answer.read() == (ROOT / "lm/gradient_flow/plugin/static" / name).read_bytes()


def test_more_records_than_were_kept_are_asked_for_unless_the_user_says_otherwise() -> None:
    for given, kept in (({}, 0), ({PLUGIN: 7}, 7)):
        flags = SimpleNamespace(samples_per_plugin=dict(given))
        Loader().fix_flags(flags)
        assert flags.samples_per_plugin == {PLUGIN: kept}


def test_entry_point_imports_nothing_heavy() -> None:
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, name = entry["tensorboard_plugins"][PLUGIN].split(":")
    assert PLUGIN == tags.PLUGIN
    assert name == "Loader"
    check = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = {one.partition(".")[0] for one in done.stdout.split()}
    assert not loaded & {"numpy", "jax", "flax", "ray", "google", "werkzeug", "sweeps"}


def test_a_tab_that_cannot_be_had_does_not_stop_tensorboard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "lm.gradient_flow.plugin.plugin", None)
    assert Loader().load(SimpleNamespace()) is None
    assert "no gradient flow tab" in caplog.text
