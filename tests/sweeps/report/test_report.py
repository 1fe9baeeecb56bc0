"""The page: whole by itself, sound JSON, and alive in a browser where there is one."""

import hashlib
import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import sweeps.report
from sweeps.analysis.comparison import compare_sweeps
from sweeps.analysis.importance import axis_importance
from sweeps.io.html import json_for_script
from sweeps.report import render, write_report
from sweeps.report.data import MAX_POINTS, page_data, points_per_curve, thin, trial_curves
from sweeps.store.tags import write_tags

PAGE = Path(sweeps.report.__file__).parent / "page"
BUILT = PAGE.parent / "static"
NAMESPACES = {
    "http://www.w3.org/1999/xhtml",
    "http://www.w3.org/1999/xlink",
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/2000/xmlns/",
    "http://www.w3.org/XML/1998/namespace",
}
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)


def page(path: Path, *folders: Path) -> str:
    comparison = compare_sweeps(folders)
    write_report(path, comparison, axis_importance(comparison.trials, comparison.axes))
    return path.read_text(encoding="utf-8")


def data_of(text: str) -> dict[str, Any]:
    """What the page's script will read."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1], parse_constant=lambda name: pytest.fail(name))  # type: ignore[no-any-return]


def test_page_fetches_nothing(grid: Path, tmp_path: Path) -> None:
    text = page(tmp_path / "a.html", grid)
    assert len(text) < 300_000
    program = text.partition("/* With parts of:")[0]
    assert set(re.findall(r"https?://[^\s\"'`)]+", program)) <= NAMESPACES
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", program)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]* (?:src|href)=\"(?!data:)", text)
    assert "default-src 'none'" in text
    assert "unsafe-eval" not in text
    assert "{{" not in text


def test_trials_curves_and_commands_are_in_the_page(grid: Path, tmp_path: Path) -> None:
    data = data_of(page(tmp_path / "a.html", grid))
    assert len(data["trials"]) == len(data["curves"]) == 12
    assert [axis["key"] for axis in data["axes"]] == ["rate", "kind", "seed"]
    first = data["trials"][0]
    assert first["command"] == "python -m app.train rate=0.01 kind=a seed=0"
    assert data["curves"][0]["clocks"][0]["steps"] == [10, 20, 30]
    place, values = data["curves"][0]["values"][str(data["tags"].index("valid/loss"))]
    assert (place, values) == (0, [0.2, 0.15, 0.133333])
    assert {trial["status"] for trial in data["trials"]} == {"finished", "diverged", "failed"}


def test_values_that_json_lacks_become_null(make_sweep: Any, tmp_path: Path) -> None:
    values = {10: 1.0, 20: math.nan, 30: -math.inf}
    folder = make_sweep([{"a": "1"}, {"a": "2"}], lambda setting, step: values[step])
    data = data_of(page(tmp_path / "a.html", folder))
    assert data["curves"][0]["values"]["0"][1] == [1.0, None, None]
    assert data["trials"][0]["best"] is None
    assert data["trials"][0]["last"] == {"valid/loss": None, "train/loss": None}


def test_names_cannot_break_out(make_sweep: Any, tmp_path: Path) -> None:
    folder = make_sweep(
        [{"a": "1"}], lambda s, step: 1.0, name="<b>&amp;", metric="</script><script>alert(1)"
    )
    text = page(tmp_path / "a.html", folder)
    assert "<title>&lt;b&gt;&amp;amp;</title>" in text
    assert text.count("<script") == page(tmp_path / "b.html", folder).count("</script>") == 2
    assert data_of(text)["metric"] == "</script><script>alert(1)"
    assert json.loads(json_for_script(["<!--", "{{data}}"])) == ["<!--", "{{data}}"]


def test_text_of_the_data_is_not_a_placeholder(make_sweep: Any, tmp_path: Path) -> None:
    folder = make_sweep([{"a": "1"}], lambda s, step: 1.0, metric="{{program}}")
    assert data_of(page(tmp_path / "a.html", folder))["metric"] == "{{program}}"


def test_thinning_keeps_the_ends_and_spreads_the_rest() -> None:
    rows = [{"step": step, "wall_time": step / 2, "a": 1.0} for step in range(5001)]
    kept = [row["step"] for row in thin(rows, 501)]
    assert kept == list(range(0, 5001, 10))
    assert thin(rows[:501], 501) == rows[:501]
    assert points_per_curve(3) == MAX_POINTS
    assert points_per_curve(2000 * 10) == 50


def test_tags_reported_together_share_a_clock() -> None:
    rows = [
        {"step": 1, "wall_time": 100.0, "a": 1.0, "b": 2.0},
        {"step": 2, "wall_time": 101.5, "a": 1.5, "b": 2.5, "c": 0.1234567},
    ]
    assert trial_curves(rows, ["a", "b", "c", "d"], 10) == {
        "start": 100.0,
        "clocks": [
            {"steps": [1, 2], "seconds": [0.0, 1.5]},
            {"steps": [2], "seconds": [1.5]},
        ],
        "values": {0: (0, [1.0, 1.5]), 1: (0, [2.0, 2.5]), 2: (1, [0.123457])},
    }


def test_empty_sweep_makes_a_page(make_sweep: Any) -> None:
    comparison = compare_sweeps([make_sweep([], lambda setting, step: 0.0)])
    assert data_of(render(page_data(comparison, axis_importance([], []))))["trials"] == []


@pytest.mark.skipif(BROWSER is None, reason="needs chromium or google-chrome on the path")
def test_page_works_in_a_browser(grid: Path, tmp_path: Path) -> None:
    assert BROWSER
    page(tmp_path / "a.html", grid)
    address = (tmp_path / "a.html").as_uri() + "#filter=KIND%3Da&sort=best&order=down"
    options = [
        "--headless",
        "--no-sandbox",
        "--enable-unsafe-swiftshader",
        "--enable-logging=stderr",
    ]
    options += [f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=3000"]
    done = subprocess.run(
        [BROWSER, *options, "--dump-dom", address], capture_output=True, text=True, timeout=60
    )
    assert not re.findall("CONSOLE.*(?:Uncaught|Refused|violates|Error).*", done.stderr)
    after = re.sub(r"<script.*?</script>", "", done.stdout, flags=re.S)
    assert "6 of 12 runs" in after
    trials = re.findall(r'title="(rate=[^"]*)"', after)
    assert [name.split(",id")[0] for name in trials] == [
        f"rate={rate},kind=a,seed={seed}" for rate in (0.5, 0.1, 0.01) for seed in (1, 0)
    ]
    assert "<td>0.138333</td><td></td><td>0.00707</td><td>2 of 2</td>" in after  # of replicates
    assert after.count('class="axis') > 5


@needs_node
def test_the_pages_own_tests_pass() -> None:
    tests = [str(path) for path in sorted(PAGE.glob("test/*.test.js"))]
    command = ["node", "--test", *tests]
    if not (PAGE / "node_modules").exists():
        pytest.skip("its packages are not there: npm ci in sweeps/report/page")
    done = subprocess.run(command, cwd=PAGE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE)


def test_built_page_is_of_these_sources() -> None:
    hashed = hashlib.sha256()
    for path in sorted((PAGE / "src").iterdir()):
        hashed.update(path.read_bytes())
    hashed.update((PAGE / "package-lock.json").read_bytes())
    first = (BUILT / "page.js").read_text(encoding="utf-8").partition("\n")[0]
    assert hashed.hexdigest()[:16] in first, "build it anew: npm ci && npm run build"
    assert (BUILT / "page.html").read_text() == (PAGE / "src" / "page.html").read_text()


def test_options_in_which_sweeps_differ_are_in_the_page(make_sweep: Any, tmp_path: Path) -> None:
    folders = [
        make_sweep([{"a": "1"}], lambda s, step: 1.0, name=name, common_config=common)
        for name, common in (("x", {"b": 1, "c": 2}), ("y", {"b": 1, "c": 3, "d": None}))
    ]
    data = data_of(page(tmp_path / "a.html", *folders))
    assert data["differences"] == {"c": ["2", "3"], "d": ["", "null"]}


def test_users_tags_are_in_the_page(grid: Path, tmp_path: Path) -> None:
    best = data_of(page(tmp_path / "a.html", grid))["trials"][0]
    write_tags(Path(best["directory"]), ["paper"])
    assert data_of(page(tmp_path / "b.html", grid))["trials"][0]["labels"] == ["paper"]
