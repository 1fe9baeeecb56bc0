"""Training that begins with the parameters of another trial, `init_from`."""

import io
import json
import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

from lm.config import parse_config
from lm.config.identity import identity_of
from lm.config.static import pack_key
from lm.data.dataset import load_dataset
from lm.export import main as export
from lm.hooks.identity import identify
from lm.serialization.exported import named_arrays
from lm.train import train_single
from lm.training.load import load_trained, load_trial_dataset
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.store import TrialStatus
from sweeps.store.fingerprint import fingerprint
from sweeps.store.provenance import Provenance
from sweeps.store.trial import TrialSpec, write_trial
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, killed_at, run

Compose = Callable[..., dict[str, Any]]
AVERAGED = "optimizer.average_patience=0"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    """A trained run."""
    return trained(tmp_path_factory.mktemp("source"), tiny)


def trained(root: Path, tiny: Compose, *overrides: str) -> Path:
    values = tiny(f"output_dir={root}", *overrides)
    return train_single(values, overrides, Console(file=io.StringIO()))


def start(values: dict[str, Any]) -> dict[str, np.ndarray]:
    """The first parameters, by name."""
    config = parse_config(values)
    return named_arrays(Trainer(config, load_dataset(config.data)).start().params)


def key(values: dict[str, Any]) -> str:
    return fingerprint(identify(values))


TABLES = {"embedding/weight", "output/weight", "output/bias"}
KERNELS = {"layers/0/input_kernel", "layers/0/recurrent_kernel", "layers/0/bias"}
HIDDEN = {"hidden/kernel", "hidden/bias"}


@pytest.mark.parametrize(
    ("overrides", "taken", "reason"),
    [
        ((), TABLES | KERNELS | HIDDEN, ""),
        (("model.layers=2",), TABLES | KERNELS | HIDDEN, "layers/1/bias: not there"),
        (("data.vocab_size=15",), KERNELS | HIDDEN, "output/weight: [20, 6] there, [15, 6] here"),
        (("model.cell=gru", "model.rnn_size=7"), TABLES | HIDDEN, "of cell lstm there, gru here"),
        (("model.hidden_size=9",), KERNELS | {"embedding/weight", "output/bias"}, "[7, 9] here"),
        (
            ("model.embed_size=6", "model.tie_weights=true"),
            {"layers/0/recurrent_kernel", "layers/0/bias", "output/bias"} | HIDDEN,
            "layers/0/input_kernel: [5, 28] there, [6, 28] here",
        ),
    ],
)
def test_parameters_of_equal_shapes_are_taken_and_the_others_drawn(
    tiny: Compose,
    source: Path,
    caplog: pytest.LogCaptureFixture,
    overrides: tuple[str, ...],
    taken: set[str],
    reason: str,
) -> None:
    drawn = start(tiny(*overrides))
    there = named_arrays(load_trained(source).params)
    with caplog.at_level(logging.INFO, "lm.training.warm_start"):
        found = start(tiny(*overrides, f"init_from='{source}'"))
    assert found.keys() == drawn.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, there[name] if name in taken else drawn[name])
    said = [record.message for record in caplog.records if "taken" in record.message]
    assert len(said) == 1
    names = said[0].rpartition("taken: ")[2].removesuffix(".").split(", ")
    assert set(names) == taken
    assert f"{source} (best checkpoint, step " in said[0]
    assert reason in " ".join(record.message for record in caplog.records)


def test_tables_of_other_words_are_drawn(
    tiny: Compose, source: Path, story: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = tmp_path / "other.txt"
    text.write_text(story.read_text().replace("ba", "zz"))
    values = tiny(f"data.files=[{text}]", f"init_from='{source}'")
    drawn, there = start(tiny()), named_arrays(load_trained(source).params)
    with caplog.at_level(logging.INFO, "lm.training.warm_start"):
        found = start(values)
    for name, array in found.items():
        np.testing.assert_array_equal(array, (drawn if name in TABLES else there)[name])
    assert "embedding/weight: of another vocabulary" in caplog.text


def test_averaged_parameters_are_those_that_are_taken(tiny: Compose, tmp_path: Path) -> None:
    directory = trained(tmp_path, tiny, AVERAGED, "optimizer.learning_rate=1.5", "train.epochs=4")
    state_file = next((directory / "checkpoints").glob("[0-9]*/state.npz"))
    with np.load(state_file) as arrays:
        assert int(arrays["state/average/updates"]) > 0
        last = arrays["state/params/output/bias"]
    shutil.rmtree(directory / "checkpoints" / "best", ignore_errors=True)
    found = start(tiny(f"init_from='{directory}'"))
    expected = named_arrays(load_trained(directory).params)
    np.testing.assert_array_equal(found["output/bias"], expected["output/bias"])
    assert not np.array_equal(found["output/bias"], last)


def test_file_of_safetensors_gives_what_its_folder_gives(
    tiny: Compose, source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("safetensors", reason="the extra safetensors is not installed")
    path = tmp_path / "model.safetensors"
    export([str(source), "--to", "safetensors", str(path)])
    with caplog.at_level(logging.INFO, "lm.training.warm_start"):
        found = start(tiny(f"init_from='{path}'"))
    for name, array in start(tiny(f"init_from='{source}'")).items():
        np.testing.assert_array_equal(found[name], array)
    assert f"{path} (best checkpoint of {source.name}, step " in caplog.text


def test_identity_without_the_option_is_as_before_and_with_it_follows_the_content(
    tiny: Compose, source: Path, tmp_path: Path
) -> None:
    values = tiny()
    assert "init_from" not in identify(values)
    earlier = {name: value for name, value in values.items() if name != "init_from"}
    assert key(earlier) == key(values)
    own = key(tiny(f"init_from='{source}'"))
    assert own != key(values)
    moved = tmp_path / "moved"
    shutil.copytree(source, moved)
    assert key(tiny(f"init_from='{moved}'")) == own
    other = trained(tmp_path, tiny, "seed=5", "train.epochs=1")
    assert key(tiny(f"init_from='{other}'")) != own


def test_packs_are_not_split(tiny: Compose, source: Path) -> None:
    assert pack_key(tiny(f"init_from='{source}'")) == pack_key(tiny())
    one, other = (
        Trainer(config, load_dataset(config.data)).functions
        for config in map(parse_config, (tiny(), tiny(f"init_from='{source}'")))
    )
    assert one is other


def test_lanes_of_a_pack_begin_with_parameters_of_their_own(
    tiny: Compose, source: Path, tmp_path: Path
) -> None:
    options = ("train.epochs=1", "optimizer.learning_rate=1e-9")
    trials = {"drawn": tiny(*options), "warm": tiny(*options, f"init_from='{source}'")}
    found = train_pack(tmp_path, trials)
    single = run(tmp_path / "single", trials["warm"])
    loss = {name: one.metrics["valid/loss"] for name, one in found.items()}
    assert loss["warm"] == pytest.approx(single.metrics["valid/loss"], abs=1e-5)
    assert loss["warm"] == pytest.approx(load_valid_loss(source), abs=1e-5)
    assert loss["drawn"] > loss["warm"] + 0.002
    assert not (tmp_path / "drawn" / "init_from.json").exists()
    facts = json.loads((tmp_path / "warm" / "init_from.json").read_text())
    assert set(facts["taken"]) == TABLES | KERNELS | HIDDEN


def load_valid_loss(directory: Path) -> float:
    model = load_trained(directory)
    trainer = Trainer(model.config, load_dataset(model.config.data))
    return trainer.evaluate(model.params, "valid")["valid/loss"]


def test_resumed_trial_needs_its_source_no_more(
    tiny: Compose, source: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    values = tiny(f"init_from='{copy}'", "train.checkpoint_minutes=0")
    write(tmp_path / "parts", values)
    run(tmp_path / "whole", values)
    with suppress(KeyboardInterrupt):
        run(tmp_path / "parts", values, killed_at(14))
    shutil.rmtree(copy)
    assert run(tmp_path / "parts", values).status == TrialStatus.FINISHED
    assert_same(tmp_path / "whole", tmp_path / "parts", tiny("train.checkpoint_minutes=0"))
    model = load_trained(tmp_path / "parts")
    assert len(load_trial_dataset(model).valid)


def write(directory: Path, values: dict[str, Any]) -> None:
    """Plan a trial."""
    spec = TrialSpec(
        config=values, overrides=(), settings={}, fingerprint=key(values), train_command=""
    )
    write_trial(directory, spec, Provenance({}, ""))


def test_source_that_has_changed_since_the_plan_is_refused(
    tiny: Compose, source: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    values = tiny(f"init_from='{copy}'")
    write(tmp_path / "trial", values)
    shutil.rmtree(copy / "checkpoints" / "best")
    other = trained(tmp_path, tiny, "seed=5", "train.epochs=1")
    shutil.rmtree(copy)
    shutil.copytree(other, copy)
    with pytest.raises(UserError, match="has other parameters than when this trial was planned"):
        run(tmp_path / "trial", values)


@pytest.mark.parametrize(
    ("init_from", "sentence"),
    [
        ("/nowhere", "init_from=/nowhere: there is no such folder or file; name a trial's"),
        ("{folder}", "is no trial's folder; name one, as .*/damaged, or a file of"),
        ("{folder}/trial", "has no checkpoint; name a trial that has one"),
        ("{folder}/file", "is no file of safetensors .*; name one that lm.export"),
        ("{folder}/foreign", "was not written by lm.export of this version .its format is None"),
        ("{damaged}", "its checkpoint best cannot be read .*; name another trial"),
    ],
)
def test_bad_source_is_refused_in_one_sentence_before_training(
    tiny: Compose, source: Path, tmp_path: Path, init_from: str, sentence: str
) -> None:
    if "file" in init_from or "foreign" in init_from:
        numpy_files = pytest.importorskip("safetensors.numpy", reason="safetensors is missing")
        numpy_files.save_file({"a": np.zeros(2, np.float32)}, tmp_path / "foreign")
    (tmp_path / "file").write_text("no arrays")
    (tmp_path / "trial").mkdir()
    shutil.copy(source / "trial.json", tmp_path / "trial")
    damaged = tmp_path / "damaged"
    shutil.copytree(source, damaged)
    (damaged / "checkpoints" / "best" / "state.npz").write_bytes(b"PK")
    path = init_from.format(folder=tmp_path, damaged=damaged)
    with pytest.raises(UserError, match=sentence) as caught:
        identify(tiny(f"init_from='{path}'"))
    assert "\n" not in str(caught.value)


def test_source_of_which_nothing_fits_is_refused(tiny: Compose, source: Path) -> None:
    sizes = ("model.embed_size=6", "model.rnn_size=8", "model.hidden_size=7", "data.vocab_size=15")
    with pytest.raises(UserError, match=r"no parameter has the name and the shape of one here"):
        identify(tiny(*sizes, f"init_from='{source}'"))


def test_identity_of_a_recorded_digest_needs_no_source(tiny: Compose, source: Path) -> None:
    values = tiny(f"init_from='{source}'")
    config = parse_config(values)
    digest = identify(values)["init_from"]
    assert identity_of(config, load_dataset(config.data).digest, digest) == identify(values)
    assert jax.tree.leaves(identity_of(config, "", "x")["init_from"]) == ["x"]
