"""Every file of `conf/` trains, on few words, and does what it says.

The lists of files are read from the folders. Search and scheduler have a test of their own in
`test_schedulers.py`, models of word vectors in `vectors/test_word2vec.py`.
"""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from lm.config import CONFIG_DIR
from lm.data.vocabulary import Vocabulary
from lm.gradient_flow.plugin.event_reader import read_run
from sweeps.config import SearchConfig
from sweeps.search import space
from sweeps.search.samplers import all_settings
from tests.lm.conftest import TINY, Compose
from tests.lm.helpers.corpora import write_corpora
from tests.lm.helpers.training import history, run

Rows = list[dict[str, float]]

QUIET = ("log.histogram_every=0", "log.graph=false", "log.embedding_words=0")
"""What would take longer than the training, and is tested elsewhere."""


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def text(group: str, name: str) -> str:
    """What a file says, in one line."""
    lines = (CONFIG_DIR / group / f"{name}.yaml").read_text().splitlines()
    return " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("corpora"), stories=9)


@pytest.fixture(scope="session")
def short(corpora: Path) -> Callable[[str], list[str]]:
    """Name of a corpus -> options that make it short."""

    def make(name: str) -> list[str]:
        if name == "code":  # of Python's standard library, as the file has it
            return ["data.characters=6000"]
        if name == "text":
            return [f"data.files=[{corpora / 'asked.txt'}]"]
        return [f"data.root={corpora}"]

    return make


@pytest.mark.parametrize("name", choices("data"))
def test_corpus_is_read_and_learned(
    tmp_path: Path, compose: Compose, short: Callable[[str], list[str]], name: str
) -> None:
    options = (option for option in TINY if not option.startswith("data="))
    values = compose(f"data={name}", *short(name), *options)
    trial = run(tmp_path, values)
    assert trial.status == "finished"
    words = Vocabulary.load(tmp_path / "vocab.tsv").words
    assert 20 < len(words) <= values["data"]["vocab_size"]
    is_char = all(len(word) == 1 for word in words if word != "<unk>")
    assert is_char == (values["data"]["level"] == "char")
    rows = history(tmp_path)
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    assert {"valid/perplexity", "test/perplexity"} <= set(trial.metrics)


@pytest.mark.parametrize("name", choices("optimizer"))
def test_update_rule_learns_at_its_own_rate(
    tmp_path: Path, compose: Compose, story: Path, name: str
) -> None:
    options = (option for option in TINY if not option.startswith("optimizer."))
    values = compose(*options, f"data.files=[{story}]", f"optimizer={name}", "train.epochs=4")
    trial = run(tmp_path, values)
    assert trial.status == "finished"
    rows = [row for row in history(tmp_path) if "train/loss" in row]
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    assert rows[0]["train/learning_rate"] == pytest.approx(values["optimizer"]["learning_rate"])


# -- Experiments and sweeps -------------------------------------------------------------------


def shrink(sets: str, swept: Sequence[str] = ()) -> list[str]:
    """Options that make an experiment small: widths, but for those that a sweep varies."""
    sizes = ["model.embed_size", "model.rnn_size"]
    sizes += ["model.last_size"] if "awd_lstm" in sets else []
    kept = [size for size in sizes if size not in swept]
    return [*(f"{size}=8" for size in kept), "log.sample_words=0", *QUIET]


def corpus_of(name: str) -> str:
    return "ptb" if name.startswith(("ptb", "awd")) else name.partition("_")[0]


def experiment(
    compose: Compose, short: Callable[[str], list[str]], name: str, *options: str
) -> dict[str, Any]:
    corpus = "code" if name == "rnnbow" else corpus_of(name)
    given = [f"+experiment={name}", *short(corpus), *shrink(name), *options]
    values = compose(*given)
    assert values["data"]["name"] == corpus
    return values


EVERYDAY = ("ptb_small", "rnnbow", "sherlock")
"""Experiments that are quick to compile, one of each kind."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow)
        for name in choices("experiment")
    ],
)
def test_experiment_trains(
    tmp_path: Path, compose: Compose, short: Callable[[str], list[str]], name: str
) -> None:
    epochs = 1 if name == "rnnbow" else 2
    values = experiment(compose, short, name, f"train.epochs={epochs}")
    trial = run(tmp_path, values)
    assert trial.status == "finished"
    rows = history(tmp_path)
    perplexities = [row["valid/perplexity"] for row in rows if "valid/perplexity" in row]
    assert len(perplexities) == epochs
    assert all(math.isfinite(value) for value in perplexities)
    assert rows[-1]["train/loss"] < rows[0]["train/loss"]
    if name == "rnnbow":
        assert 100 < trial.step <= 200
        assert "gradient flow of every 100th of its first" in text("experiment", name)
        assert sorted(read_run(tmp_path).batches) == [0, 100]


NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
COUNT = re.compile(rf"({'|'.join(NUMBERS)}|\d+)( of the trials| trials)", re.IGNORECASE)


def trials_of(compose: Compose, name: str) -> tuple[list[str], list[dict[str, str]]]:
    """Fixed overrides of a sweep file, and of each trial axis -> override."""
    params = yaml.safe_load((CONFIG_DIR / "sweep" / f"{name}.yaml").read_text())["hydra"]
    parse = OverridesParser.create().parse_overrides
    overrides = [space.param_override(*item) for item in params["sweeper"]["params"].items()]
    found = space.build_space(parse(overrides), parse([f"+sweep={name}"]))
    keys = [axis.key for axis in found.axes]
    settings = all_settings(found, SearchConfig("grid", None, 0))
    return found.fixed, [
        dict(zip(keys, (value.override for value in setting), strict=True)) for setting in settings
    ]


@pytest.mark.parametrize("name", choices("sweep"))
def test_sweep_has_as_many_trials_as_its_file_says(compose: Compose, name: str) -> None:
    said = COUNT.search(text("sweep", name))
    assert said, text("sweep", name)
    number = said[1].lower()
    _, trials = trials_of(compose, name)
    assert len(trials) == (NUMBERS.index(number) + 1 if number in NUMBERS else int(number))


Trained = list[tuple[dict[str, Any], Rows]]
"""Configuration and reports of each trial of a sweep."""


def of(trained: Trained, key: str, tag: str) -> dict[Any, float]:
    """Return value of an option -> the last report of a metric."""
    section, _, option = key.partition(".")
    return {values[section][option]: rows[-1][tag] for values, rows in trained}


def smallest_clips_every_step(trained: Trained) -> None:
    shares = of(trained, "train.clip_norm", "train/clipped_share")
    assert shares[0.01] == 1
    assert shares[0.01] >= shares[0.1] >= shares[1]


def shorter_windows_make_more_updates(trained: Trained) -> None:
    steps = of(trained, "train.sequence_length", "step")
    assert [steps[length] for length in sorted(steps)] == sorted(steps.values(), reverse=True)


def each_has_the_rate_of_its_file(trained: Trained) -> None:
    rates = of(trained, "optimizer.kind", "train/learning_rate")
    for name, rate in rates.items():
        own = yaml.safe_load((CONFIG_DIR / "optimizer" / f"{name}.yaml").read_text())
        assert rate == pytest.approx(own["learning_rate"])


def gradient_flow_is_recorded(trained: Trained) -> None:
    assert all("gradient_flow/horizon" in " ".join(tags(rows)) for _, rows in trained)


def vectors_are_scored(trained: Trained) -> None:
    assert all("vectors/simlex" in tags(rows) for _, rows in trained)


def both_predict_every_word_once(trained: Trained) -> None:
    vectors_are_scored(trained)
    steps = of(trained, "train.predict", "step")
    length = trained[0][0]["train"]["sequence_length"]
    assert steps["last"] == pytest.approx(steps["all"] * length, rel=0.2)


def tags(rows: Rows) -> set[str]:
    return {tag for row in rows for tag in row}


ACTS: dict[str, Callable[[Trained], None]] = {
    "clip_level": smallest_clips_every_step,
    "gradient_flow": gradient_flow_is_recorded,
    "optimizer": each_has_the_rate_of_its_file,
    "sequence_length": shorter_windows_make_more_updates,
    "sherlock_clip_level": smallest_clips_every_step,
    "sherlock_predict": both_predict_every_word_once,
    "sherlock_sequence_length": vectors_are_scored,
}
"""What sweep files say beyond what they vary."""


@pytest.mark.slow
@pytest.mark.parametrize("name", choices("sweep"))
def test_trials_of_a_sweep_train_and_differ(
    tmp_path: Path, compose: Compose, short: Callable[[str], list[str]], name: str
) -> None:
    fixed, settings = trials_of(compose, name)
    # Each value of each axis, beside the first values of the others.
    near = [one for one in settings if len(one.items() - settings[0].items()) <= 1]
    trained: Trained = []
    differ = set()
    for at, setting in enumerate(near):
        # Schedules begin after so many thousand updates as there are updates here.
        setting = {key: re.sub(r"(step: ?\d+)000\b", r"\1", one) for key, one in setting.items()}
        corpus = compose(*fixed, *setting.values())["data"]["name"]
        small = [*short(corpus), *shrink(name, list(setting)), "train.epochs=1"]
        values = compose(*fixed, *setting.values(), *small, "train.report_every=5")
        trial = run(tmp_path / str(at), values)
        assert trial.status == "finished", setting
        rows = history(tmp_path / str(at))
        trained.append((values, rows))
        if not any(row.get("train/clipped_share") for row in rows):  # a level that never clips
            setting.pop("train.clip_norm", None)
        differ.add(tuple(setting.values()))
    if name == "ptb_regularization":  # averages begin only once validation stalls
        differ = {one for one in differ if "ptb_small_averaged" not in one[0]}
    assert len({rows[-1]["train/loss"] for _, rows in trained}) == len(differ)
    ACTS.get(name, lambda trained: None)(trained)
