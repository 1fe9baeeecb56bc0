"""The README's filters select of the shipped sweeps what it says, in TensorBoard as in Python."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmarks.tensorboard import browser
from lm.config import CONFIG_DIR, register
from sweeps import hydra_sweeper
from sweeps.config import SearchConfig
from sweeps.naming import short_keys, trial_name
from sweeps.search import space
from sweeps.search.samplers import all_settings
from sweeps.tensorboard.event_file import EventWriter
from sweeps.tensorboard.links import Dashboard, dashboard_url

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"
SELECTED: dict[str, Callable[[Mapping[str, str]], bool]] = {
    r"^layer_grid/": lambda of: of["sweep"] == "layer_grid",
    r"^(clip_level|learning_rate)/": lambda of: of["sweep"] in ("clip_level", "learning_rate"),
    r"^(?!layer_grid)": lambda of: of["sweep"] != "layer_grid",
    r"cell=lstm": lambda of: of.get("cell") == "lstm",
    r"optimizer=adam|cell=gru": lambda of: of.get("optimizer") == "adam" or of.get("cell") == "gru",
    r"lr=0\.(01|1),": lambda of: of.get("lr") in ("0.01", "0.1"),
    r"clip_norm=(?!1,)": lambda of: of.get("clip_norm", "1") != "1",
    r"sequence_length=\d,": lambda of: of.get("sequence_length") in ("3", "5"),
    r"rnn_size=192.*hidden_size=96": lambda of: (
        of.get("rnn_size") == "192" and of.get("hidden_size") == "96"
    ),
    r"(?=.*hidden_size=64,)(?=.*embed_size=64,)": lambda of: (
        of.get("hidden_size") == of.get("embed_size") == "64"
    ),
}
"""Filter -> what it is to select, by the sweep and the settings of a trial."""


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, str]]:
    """Name of each run of the shipped sweeps -> its sweep and settings."""
    register()
    hydra_sweeper.register()
    found: dict[str, dict[str, str]] = {}
    for path in sorted(CONFIG_DIR.glob("sweep/*.yaml")):
        for axes in trials(path.stem):
            name = f"{path.stem}/{trial_name(axes, '3f2a9c')}"
            found[name] = {"sweep": path.stem, **axes}
    return found


def trials(name: str) -> list[dict[str, str]]:
    """Short name of each axis -> label, of each trial of a sweep."""
    with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = hydra.compose("config", [f"+sweep={name}"], return_hydra_config=True)
    params = [
        space.param_override(key, value) for key, value in config.hydra.sweeper.params.items()
    ]
    found = space.build_space(OverridesParser.create().parse_overrides(params), [])
    short = short_keys([axis.key for axis in found.axes])
    grid = all_settings(found, SearchConfig("grid", None, 0))
    return [dict(zip(short, (value.label for value in one), strict=True)) for one in grid]


def documented() -> dict[str, int]:
    """Filter -> how many runs the README says that it selects."""
    section = README.read_text().partition("\n## Look inside\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (\d+): .+ \|$", section, re.MULTILINE)
    return {cell.replace("\\|", "|"): int(number) for cell, number in rows}


def expected(runs: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    return {
        expression: [name for name, of in runs.items() if selects(of)]
        for expression, selects in SELECTED.items()
    }


def test_readme_has_ten_filters_with_the_runs_that_they_select(runs: dict[str, Any]) -> None:
    assert len(SELECTED) == 10
    assert documented() == {filter: len(names) for filter, names in expected(runs).items()}


def test_filters_select_these_runs(runs: dict[str, Any]) -> None:
    for expression, names in expected(runs).items():
        pattern = re.compile(expression, re.IGNORECASE)
        assert 0 < len(names) < len(runs)
        assert [name for name in runs if pattern.search(name)] == names


def test_filters_mean_in_javascript_what_they_mean_here(page: Any, runs: dict[str, Any]) -> None:
    select = "([text, names]) => names.filter(name => new RegExp(text, 'i').test(name))"
    for expression, names in expected(runs).items():
        assert page.evaluate(select, [expression, list(runs)]) == names


def test_filters_leave_these_runs_in_tensorboards_list(
    page: Any, runs: dict[str, Any], tmp_path: Path
) -> None:
    """Typed into its box, and opened as an address."""
    for name in runs:
        (tmp_path / name).mkdir(parents=True)
        writer = EventWriter(tmp_path / name, start=None)
        writer.write_scalars(1, 1.0, {"loss": 1.0})
        writer.close()
    with browser.board(tmp_path) as board:
        page.goto(f"{board.url}#timeseries")
        browser.wait_for_rows(page, len(runs))
        for number, (expression, names) in enumerate(expected(runs).items()):
            if number % 2:
                page.goto("about:blank")
                page.goto(dashboard_url(Dashboard(board.url), expression))
            else:
                browser.filter_runs(page, expression)
            browser.wait_for_rows(page, len(names))
            assert sorted(browser.listed_runs(page)) == sorted(names), expression
