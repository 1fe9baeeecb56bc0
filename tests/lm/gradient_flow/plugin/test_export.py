"""`python -m lm.gradient_flow`: what it writes, and what it says of bad input."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.tensorboard.gradient_flow_runs import write_run
from lm.gradient_flow.codec import decode
from lm.gradient_flow.plugin.event_reader import RunRecords
from lm.gradient_flow.plugin.export import _kept_steps, main


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for cell in ("rnn", "lstm"):
        write_run(tmp_path / "runs" / "sweep" / f"cell={cell},id=a", range(0, 700, 100), cell, 6)
    return tmp_path / "runs"


def inside(page: Path) -> dict[str, Any]:
    found = re.search(r'id="flow-data">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert found
    return dict(json.loads(found[1]))


def test_page_holds_every_overview_and_as_many_batches_as_asked_for(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "flow.html"
    main([str(runs), "--html", str(page), "--records", "3"])
    assert "2 trials, 6 of 14 recorded batches" in capsys.readouterr().out
    data = inside(page)
    assert list(data["runs"]) == ["sweep/cell=lstm,id=a", "sweep/cell=rnn,id=a"]
    for name in data["runs"]:
        overview = data["overviews"][name]
        assert overview["steps"] == list(range(0, 700, 100))
        assert len(overview["kept"]) == 3
        assert overview["kept"][-1] == 600
        values = np.frombuffer(base64.b64decode(overview["values"]), "<f4").reshape(7, -1, 3)
        assert overview["steps"][values[:, :, 0].max(axis=1).argmax()] in overview["kept"]
        batch = data["batches"][name]["600"]
        first = data["runs"][name]["about"]["components"][0]
        record = decode(base64.b64decode(batch["records"][first]))
        np.testing.assert_allclose(values[-1, 0, 0], record.norms.max(), rtol=2e-3)


@pytest.mark.parametrize("most", [2, 3, 5])
@pytest.mark.parametrize("largest", [0, 100, 300, 600])
def test_batches_that_a_page_holds_have_the_largest_and_the_last(most: int, largest: int) -> None:
    steps = range(0, 700, 100)
    sizes = {step: np.array([[step == largest, 1, 1]], np.float32) for step in steps}
    sizes[200 if largest != 200 else 400][0, 0] = np.inf  # no bar has this height
    kept = _kept_steps(RunRecords({}, sizes, dict.fromkeys(steps)), most)  # type: ignore[arg-type]
    assert {largest, 600} <= set(kept)
    assert len(kept) == most
    assert kept == sorted(kept)


def test_page_holds_no_text_that_ends_its_script(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "</script><b>", [0], length=3)
    main([str(tmp_path / "runs"), "--html", str(tmp_path / "flow.html")])
    assert list(inside(tmp_path / "flow.html")["runs"]) == ["</script><b>"]


def test_a_file_that_was_cut_gives_its_whole_records(runs: Path, tmp_path: Path) -> None:
    (path,) = (runs / "sweep" / "cell=rnn,id=a").glob("*tfevents*")
    path.write_bytes(path.read_bytes()[:-20])
    main([str(runs), "--html", str(tmp_path / "flow.html"), "--match", "rnn"])
    overviews = inside(tmp_path / "flow.html")["overviews"]
    assert overviews["sweep/cell=rnn,id=a"]["steps"] == list(range(0, 600, 100))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{runs}/none"], "does not exist"),
        (["{runs}", "--match", "gru"], "no run matches"),
        (["{runs}", "--match", "("], "expression"),
        (["{runs}", "--records", "0"], "--records"),
        (["{runs}/.."], "no gradient flow was recorded"),
        (["{runs}", "--html", "{runs}/none/flow.html"], "give --html another place"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    runs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    if arguments == ["{runs}/.."]:
        for path in runs.rglob("*tfevents*"):
            path.write_bytes(b"")
    given = [argument.format(runs=runs) for argument in arguments]
    html = [] if "--html" in given else ["--html", str(tmp_path / "flow.html")]
    with pytest.raises(SystemExit) as caught:
        main([*given, *html])
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
