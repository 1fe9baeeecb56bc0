"""The checkpoint of the best value is kept through every end, and patience ends a trial."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.config import parse_config
from lm.data.dataset import load_dataset
from lm.evaluation.evaluate import evaluate
from lm.evaluation.scoring import evaluation_config
from lm.evaluation.texts import load_splits
from lm.hooks.identity import identify
from lm.training.checkpoint import CheckpointManager
from lm.training.load import TrainedModel, load_trained
from lm.training.trainer import Trainer
from sweeps.errors import UserError
from sweeps.store import TrialSpec, fingerprint, read_trial
from sweeps.store.provenance import Provenance
from sweeps.store.trial import write_trial
from sweeps.tracking import OnReport
from tests.lm.helpers.packs import train_pack
from tests.lm.helpers.training import assert_same, history, killed_at, run, signalled_at

Compose = Callable[..., dict[str, Any]]

WORSE = (
    *("train.epochs=5", "optimizer=adam", "optimizer.learning_rate=0.1"),
    "train.changes=[{step: 69, optimizer.learning_rate: 0.9}]",
)
"""The third of five epochs is the best one."""
BEST = 69


def train(folder: Path, values: dict[str, Any], on_report: OnReport | None = None) -> None:
    """Train in a folder that the commands can read."""
    folder.mkdir(exist_ok=True, parents=True)
    if not (folder / "trial.json").exists():
        spec = TrialSpec(
            config=values,
            overrides=(),
            settings={},
            fingerprint=fingerprint(identify(values)),
            train_command="train",
            reproduce_command="",
        )
        write_trial(folder, spec, Provenance({}, ""))
    run(folder, values, on_report)


def reported(folder: Path, step: int) -> dict[str, float]:
    return {
        tag: value for row in history(folder) if row["step"] == step for tag, value in row.items()
    }


def assert_best_is_kept(folder: Path) -> None:
    """The best checkpoint has the reported values, to the last digit."""
    best = read_trial(folder).best
    trained = load_trained(folder)
    assert best is not None
    assert (trained.checkpoint, trained.step, best.step) == ("best", BEST, BEST)
    dataset = load_dataset(trained.config.data)
    trainer = Trainer(trained.config, dataset)
    assert trainer.evaluate(trained.params, "valid")["valid/perplexity"] == best.value
    last = history(folder)[-1]
    tested = trainer.evaluate(trained.params, "test")
    assert {tag: last[f"{tag}_at_best"] for tag in tested} == tested
    assert last["test/perplexity"] > tested["test/perplexity"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny: Compose) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "trial"
    train(folder, tiny(*WORSE))
    return folder


def test_best_and_last_are_kept(whole: Path) -> None:
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == ["115", "best"]
    assert_best_is_kept(whole)
    last = load_trained(whole, choice="last")
    assert (last.checkpoint, last.step) == ("last", 115)
    assert load_trained(whole, choice=BEST).step == BEST


@pytest.mark.parametrize("stop", [killed_at, signalled_at])
@pytest.mark.parametrize("step", [60, 69, 76, 92, 99, 115])
def test_interruptions_change_nothing(
    whole: Path, tmp_path: Path, tiny: Compose, stop: Callable[[int], OnReport], step: int
) -> None:
    values = tiny(*WORSE)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, values, stop(step))
    train(tmp_path, values)
    assert_same(tmp_path, whole, values)
    assert_best_is_kept(tmp_path)


def test_process_that_is_killed_before_the_best_is_linked(
    whole: Path, tmp_path: Path, tiny: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: CheckpointManager, step: int) -> None:
        if step == BEST:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointManager, "keep_best", die)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, tiny(*WORSE))
    assert (tmp_path / "checkpoints" / str(BEST)).is_dir()
    train(tmp_path, tiny(*WORSE))
    assert_best_is_kept(tmp_path)


def test_best_that_is_later_than_the_checkpoint_trained_on_is_made_again(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    values = tiny(*WORSE)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, values, killed_at(76))
    shutil.rmtree(tmp_path / "checkpoints" / str(BEST))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, values, killed_at(60))
    assert load_trained(tmp_path).step == 46
    train(tmp_path, values)
    assert_same(tmp_path, whole, values)
    assert_best_is_kept(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        ("loss.kind=sampled_softmax", "loss.samples=4", "optimizer=momentum"),
        ("train.predict=last",),
        ("model.dropout=0.2", "model.tie_weights=true", "model.hidden_size=5"),
    ],
    ids=["lazy_rows", "last_word", "tied"],
)
def test_best_is_evaluated_as_it_was_in_training(
    tmp_path: Path, tiny: Compose, options: tuple[str, ...]
) -> None:
    train(tmp_path, tiny("train.epochs=3", *options))
    trained, best = load_trained(tmp_path), read_trial(tmp_path).best
    assert best is not None
    texts = load_splits(trained, ["valid"])
    found = evaluate(trained, texts, evaluation_config(trained, None), None)
    assert found.texts[0].log_probs.mean() == pytest.approx(
        -reported(tmp_path, best.step)["valid/loss"]
    )


def test_lanes_of_a_pack_keep_their_own_best(whole: Path, tmp_path: Path, tiny: Compose) -> None:
    better = ("train.epochs=4", "optimizer=adam", "optimizer.learning_rate=0.1")
    trials = {"worse": tiny(*WORSE), "better": tiny(*better)}
    with pytest.raises(KeyboardInterrupt):
        train_pack(tmp_path, trials, {"worse": signalled_at(76)})
    train_pack(tmp_path, trials)
    for name, values in trials.items():
        best = read_trial(tmp_path / name).best
        assert best is not None
        checkpoints = CheckpointManager(tmp_path / name / "checkpoints")
        assert checkpoints.best_step() == best.step == {"worse": BEST, "better": 92}[name]
        last = history(tmp_path / name)[-1]
        trainer = Trainer(parse_config(values), load_dataset(parse_config(values).data))
        params = params_of(checkpoints, trainer)
        tested = trainer.evaluate(params, "test")
        assert last["test/loss_at_best"] == pytest.approx(tested["test/loss"], rel=1e-6)
        assert (last["test/loss_at_best"] == last["test/loss"]) == (name == "better")


def params_of(checkpoints: CheckpointManager, trainer: Trainer) -> Any:
    from lm.training.checkpoint import Checkpoint

    like = Checkpoint(state=trainer.functions.shapes, hyperparams=trainer.hyperparams(0))
    return checkpoints.restore_best(like).state.params


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        ("best", {"115", "best"}),
        ("last", {"115"}),
        ("all", {"23", "46", "69", "92", "115", "best"}),
        ("none", set()),
    ],
)
def test_finished_trial_keeps_what_was_asked_for(
    tmp_path: Path, tiny: Compose, kept: str, names: set[str]
) -> None:
    train(tmp_path, tiny(*WORSE, f"sweep.keep_checkpoints={kept}"))
    found = tmp_path / "checkpoints"
    assert {path.name for path in found.iterdir()} if found.exists() else set() == names
    assert history(tmp_path)[-1]["test/loss_at_best"] < history(tmp_path)[-1]["test/loss"]
    if kept == "none":
        with pytest.raises(UserError, match=r"is done, and its checkpoints were not kept \("):
            load_trained(tmp_path)


@pytest.mark.parametrize(
    ("kept", "choice", "told"),
    [
        ("best", 46, "no checkpoint of step 46; there are those of steps 69, 115"),
        ("last", "best", "has no best checkpoint; take the newest one, last"),
    ],
)
def test_checkpoint_that_is_not_there_is_one_sentence(
    whole: Path, tmp_path: Path, kept: str, choice: str | int, told: str
) -> None:
    shutil.copytree(whole, tmp_path / "trial")
    if kept == "last":
        shutil.rmtree(tmp_path / "trial/checkpoints/best")
        assert load_trained(tmp_path / "trial").checkpoint == "last"
    with pytest.raises(UserError, match=told):
        load_trained(tmp_path / "trial", choice=choice)


def test_damaged_best_checkpoint_is_one_sentence(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "trial")
    file = tmp_path / "trial/checkpoints/best/state.npz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"the best checkpoint in .* cannot be read"):
        load_trained(tmp_path / "trial", choice="best")
    assert load_trained(tmp_path / "trial").checkpoint == "last"


def test_patience_ends_a_trial_and_is_the_same_after_a_resume(
    whole: Path, tmp_path: Path, tiny: Compose
) -> None:
    values = tiny(*WORSE, "train.epochs=9", "train.patience=2")
    train(tmp_path / "one", values)
    trial = read_trial(tmp_path / "one")
    assert (trial.status, trial.stopped_by, trial.step) == ("stopped", "patience", 115)
    assert trial.done
    assert trial.error == "by train.patience=2"
    assert_best_is_kept(tmp_path / "one")
    assert {path.name for path in (tmp_path / "one/checkpoints").iterdir()} == {"115", "best"}
    same = [{**row, "train/learning_rate": 0} for row in history(whole)]
    assert [{**row, "train/learning_rate": 0} for row in history(tmp_path / "one")] == same

    for stop in (killed_at(92), signalled_at(99), killed_at(115)):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "two", values, stop)
    train(tmp_path / "two", values)
    assert_same(tmp_path / "two", tmp_path / "one", values)
    assert read_trial(tmp_path / "two").stopped_by == "patience"

    found = train_pack(tmp_path / "pack", {"one": values, "whole": tiny(*WORSE)})
    assert (found["one"].stopped_by, found["one"].step) == ("patience", 115)
    assert found["whole"].status == "finished"


def test_patience_defines_the_result_only_where_it_is_given(tiny: Compose) -> None:
    def key(*options: str) -> str:
        return fingerprint(identify(tiny(*options)))

    without = tiny()
    del without["train"]["patience"]
    del without["optimizer"]["schedule"], without["optimizer"]["plateau_patience"]
    assert fingerprint(identify(without)) == key() == key("sweep.metric=valid/loss")
    for options in (
        ("train.patience=3",),
        ("optimizer.schedule=plateau", "optimizer.decay=0.5"),
    ):
        assert key(*options) != key(*options[1:])
        assert key(*options) != key(*options, "sweep.metric=valid/loss")


def test_trained_model_says_which_checkpoint_it_is(whole: Path) -> None:
    def told(choice: str | int | None) -> str:
        trained: TrainedModel = load_trained(whole, choice=choice)
        return trained.describe_checkpoint()

    assert told(None) == "best checkpoint, step 69 of 115"
    assert told("last") == "last checkpoint, step 115 of 115"
    assert told(69) == "checkpoint of step 69 of 115"


def test_rate_decays_on_a_plateau_and_is_the_same_after_a_resume_and_in_a_pack(
    tmp_path: Path, tiny: Compose
) -> None:
    steep = ("train.epochs=6", "optimizer=adam", "optimizer.learning_rate=0.9")
    values = tiny(*steep, "optimizer.schedule=plateau", "optimizer.decay=0.1")
    train(tmp_path / "whole", values)
    rows = assert_decays_on_a_plateau(tmp_path / "whole", start=0.9)

    step = int(next(row["step"] for row in rows if row["train/learning_rate"] < 0.9)) - 23
    for stop in (killed_at(step), signalled_at(step + 7), killed_at(step + 14)):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "parts", values, stop)
    train(tmp_path / "parts", values)
    assert_same(tmp_path / "parts", tmp_path / "whole", values)

    train_pack(tmp_path / "pack", {"one": values, "other": tiny(*steep)})
    # So steep, a difference in rounding grows: the pack's perplexities are its own.
    assert_decays_on_a_plateau(tmp_path / "pack" / "one", start=0.9)


def assert_decays_on_a_plateau(trial: Path, start: float) -> list[dict[str, float]]:
    """The rate is a tenth after each evaluation that is no better than all before; returns them."""
    rows = [row for row in history(trial) if "valid/perplexity" in row]
    best, rate, expected = math.inf, start, []
    for row in rows:
        expected.append(rate)  # of the updates before this evaluation
        if row["valid/perplexity"] >= best:
            rate *= 0.1
        best = min(best, row["valid/perplexity"])
    rates = [row["train/learning_rate"] for row in rows]
    assert rates == pytest.approx(expected)
    assert 1 < len(set(rates)) < len(rows)
    return rows


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["optimizer.decay=0.5", "optimizer.hold_epochs=3"], "give optimizer.hold_epochs=null"),
        ([], "give a factor below 1"),
    ],
)
def test_plateau_that_makes_no_sense_is_refused(
    tiny: Compose, options: list[str], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        parse_config(tiny("optimizer.schedule=plateau", *options))
