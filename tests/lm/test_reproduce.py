"""A trained model is trained again in a process of its own, and gives the same numbers."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lm.config import CONFIG_DIR, parse_config
from lm.hooks.identity import identify
from sweeps.config import read_application
from sweeps.errors import UserError
from sweeps.io.atomic import read_json
from sweeps.reproduce.command import Request, reproduce
from sweeps.store.fingerprint import fingerprint
from sweeps.store.metrics import read_metrics
from sweeps.store.provenance import collect
from sweeps.store.trial import TrialSpec, read_trial, write_trial
from tests.lm.helpers.training import killed_at, run

Compose = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory, tiny: Compose, story: Path) -> Path:
    """A run that was killed within its first epoch and went on."""
    root = tmp_path_factory.mktemp("reproduce")
    text = shutil.copy(story, root / "text.txt")
    directory = root / "outputs" / "single" / "tiny"
    options = ("model.dropout=0.2", "train.checkpoint_minutes=0", f"data.files=[{text}]")
    values = tiny(*options)
    spec = TrialSpec(
        config=values,
        overrides=(),
        settings={},
        fingerprint=fingerprint(identify(values)),
        train_command="python -m lm.train",
    )
    write_trial(directory, spec, collect(directory))
    with suppress(KeyboardInterrupt):
        run(directory, values, killed_at(14))
    assert read_trial(directory).status == "interrupted"
    run(directory, values)
    return directory


def reproduced(directory: Path, **options: Any) -> tuple[bool, str]:
    terminal = Console(file=io.StringIO(), width=500)
    application = read_application(CONFIG_DIR / "config.yaml")
    good = reproduce(Request(directory, **options), application, terminal)
    assert isinstance(terminal.file, io.StringIO)
    return good, terminal.file.getvalue()


@pytest.mark.slow
def test_trial_that_went_on_is_identical_to_one_in_a_single_piece(resumed: Path) -> None:
    good, told = reproduced(resumed)
    assert good, told
    assert "identical: 8 steps, 56 values" in told
    place = resumed.parents[1] / "reproduced" / "single" / "tiny"
    assert read_trial(place).status == "finished"
    old, new = (read_json(folder / "provenance.json") or {} for folder in (resumed, place))
    assert new["volatile_metrics"] == ["time/words_per_second"]
    assert (new["cpus"], new["environment"]) == (old["cpus"], old["environment"])
    assert new["device"] == "cpu"


@pytest.mark.slow
def test_changed_value_is_told_and_another_thread_count_is_not(
    resumed: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "outputs" / "single" / "tiny"
    shutil.copytree(resumed, directory)
    table = directory / "metrics.csv"
    loss = read_metrics(table)[3]["valid/loss"]
    table.write_text(table.read_text().replace(repr(loss), repr(loss * 1.5)))
    cpus = (read_json(resumed / "provenance.json") or {})["cpus"]
    done = subprocess.run(
        [sys.executable, "-m", "lm.reproduce", str(directory), "--cpus", str(cpus + 1)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 1, done.stderr
    assert "compared within 0.0001, because it ran on" in done.stdout
    assert f"different: first at step 23, valid/loss: {loss * 1.5!r}, now" in done.stdout
    assert "0.33 relative" in done.stdout
    place = tmp_path / "outputs" / "reproduced" / "single" / "tiny"
    facts = read_json(place / "provenance.json") or {}
    assert facts["cpus"] == cpus + 1
    assert facts["environment"]["NPROC"] == str(cpus + 1)


def test_changed_text_is_refused_before_training(resumed: Path, tmp_path: Path) -> None:
    text = resumed.parents[2] / "text.txt"
    before = text.read_text()
    text.write_text(before.replace("ba", "bo", 1))
    try:
        with pytest.raises(UserError, match=r"the text or the options of .* are not those that"):
            reproduced(resumed, output=tmp_path)
    finally:
        text.write_text(before)
    assert not list(tmp_path.iterdir())


def test_configuration_of_another_version_is_one_sentence(tiny: Compose) -> None:
    values = tiny()
    del values["model"]["cell"]
    with pytest.raises(UserError, match=r"model.cell has no value"):
        parse_config(values)
    with pytest.raises(UserError, match=r"model.colour is no option"):
        parse_config({**tiny(), "model": {**tiny()["model"], "colour": "red"}})
