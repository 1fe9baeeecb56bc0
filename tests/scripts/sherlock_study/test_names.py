"""Tables and pictures find each trial of the shipped sweeps by the names that it really has."""

from collections.abc import Callable
from typing import Any

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lm.config import CONFIG_DIR, register
from scripts.sherlock_study import tables
from scripts.sherlock_study.pictures import PICTURES
from scripts.sherlock_study.trials import StudyTrial
from sweeps import hydra_sweeper
from sweeps.config import SearchConfig
from sweeps.search import space
from sweeps.search.samplers import all_settings
from tests.scripts.sherlock_study.made_up import trial

Sweep = Callable[[str], list[StudyTrial]]


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    """Made-up reports for each trial of a shipped sweep, with the sweeper's own settings."""
    register()
    hydra_sweeper.register()

    def make(name: str) -> list[StudyTrial]:
        with hydra.initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = hydra.compose("config", [f"+sweep={name}"], return_hydra_config=True)
        params = [space.param_override(key, x) for key, x in config.hydra.sweeper.params.items()]
        found = space.build_space(OverridesParser.create().parse_overrides(params), [])
        grid = all_settings(found, SearchConfig("grid", None, 0))
        keys = [axis.key for axis in found.axes]
        cell = "rnn" if "rnn" in name else "lstm"
        return [
            made_up(dict(zip(keys, (value.label for value in one), strict=True)), cell)
            for one in grid
        ]

    return make


def made_up(labels: dict[str, str], cell: str) -> StudyTrial:
    tanh = {"rnn": "out", "lstm": "cell_out", "gru": "candidate"}
    cell = labels.get("model.cell", cell)
    seen: dict[str, Any] = {f"within__saturation__layer_1__{tanh[cell]}": [0.1, 0.2]}
    return trial(labels, [5.0, 4.0], model={"cell": cell}, **seen)


@pytest.mark.parametrize("name", tables.TABLES)
def test_table_has_every_trial(sweep: Sweep, name: str) -> None:
    of, table = tables.TABLES[name]
    made = table(sweep(of))
    assert made.rows
    assert all(len(row) == len(made.header) for row in made.rows)
    assert not [row for row in made.rows if "not run" in row]
    if name not in ("trace", "clip_level"):  # whose columns of later epochs are the study's
        assert not [row for row in made.rows if tables.NONE in row[2:]]


@pytest.mark.parametrize("name", PICTURES)
def test_picture_draws_every_trial(sweep: Sweep, name: str) -> None:
    of, draw = PICTURES[name]
    trials = sweep(of)
    figure = draw(trials)
    drawn = {len(trace.y) for trace in figure.data}
    assert len(figure.data) >= 2 * len(trials)
    assert 0 not in drawn
