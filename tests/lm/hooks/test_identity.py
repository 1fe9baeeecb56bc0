"""What a result's identity depends on, and which texts are refused before training."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.hooks.identity import identify
from sweeps.errors import UserError
from sweeps.store.fingerprint import fingerprint

Compose = Callable[..., dict[str, Any]]


def key(values: dict[str, Any]) -> str:
    return fingerprint(identify(values))


@pytest.mark.parametrize(
    "override",
    [
        "output_dir=elsewhere",
        "name=mine",
        "fresh=true",
        "sweep.cpus_per_trial=2",
        "train.checkpoint_minutes=1",
    ],
)
def test_options_that_do_not_change_the_result_do_not_change_the_identity(
    tiny: Compose, override: str
) -> None:
    assert key(tiny(override)) == key(tiny())


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "model.rnn_size=8",
        "model.initializer.scale=2",
        "optimizer.learning_rate=0.051",
        "train.epochs=3",
        "train.predict=last",
        "loss.kind=nce",
        "loss.samples=3",
        "loss.over_time=sum",
        "data.vocab_size=9",
        "data.level=char",
    ],
)
def test_options_that_change_the_result_change_the_identity(tiny: Compose, override: str) -> None:
    fitting = ("loss.samples=5",) if "loss" in override else ()
    assert key(tiny(*fitting, override)) != key(tiny(*fitting))


def test_identity_follows_the_text_and_not_its_path(
    tiny: Compose, story: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.txt"
    shutil.copy(story, copy)
    assert key(tiny(f"data.files=[{copy}]")) == key(tiny())
    assert key(tiny("data.files=[copy.txt]", f"data.root={tmp_path}")) == key(tiny())
    copy.write_text(story.read_text().replace("ba", "ga", 1))
    assert key(tiny(f"data.files=[{copy}]")) != key(tiny())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data.vocab_size=1"], "data.vocab_size=1 is out of range; it must be at least 2"),
        (["optimizer.learning_rate=-1"], "optimizer.learning_rate=-1.0 is out of range"),
        (["loss.kind=nce", "loss.samples=20"], "loss.samples=20 must be below the vocabulary's"),
        (["train.batch_size=100"], "one batch of train.batch_size=100 .* takes 600; lower one"),
        (["train.sequence_length=120"], "train.sequence_length=120 takes 484; lower one of"),
        (
            ["train.predict=last", "train.sequence_length=70"],
            "The valid split has 60 tokens, and one window of train.sequence_length=70 takes 71",
        ),
        (["train.sequence_length=60"], "The valid split has 60 tokens"),
        (["data.valid_fraction=0.2", "train.sequence_length=60"], "The test split has 60 tokens"),
        (["data.files=[/nowhere/a.txt]"], "there is no file /nowhere/a.txt"),
        (["data.root=/nowhere"], "data.root=/nowhere is not a folder"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    tiny: Compose, overrides: list[str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        identify(tiny(*overrides))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n\n "])
def test_empty_corpus_is_refused(tiny: Compose, tmp_path: Path, text: str) -> None:
    file = tmp_path / "empty.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=r"empty\.txt has no text in it"):
        identify(tiny(f"data.files=[{file}]"))


@pytest.mark.parametrize("samples", [19, 20])
def test_full_softmax_does_not_mind_the_number_of_samples(tiny: Compose, samples: int) -> None:
    identify(tiny(f"loss.samples={samples}"))
    if samples < 20:
        identify(tiny("loss.kind=sampled_softmax", f"loss.samples={samples}"))
