"""The folder for PyTorch: equal logits, equal tokens, equal words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lm.config import DataConfig, parse_config
from lm.data.tokenizer import tokenize
from lm.serialization import to_torch
from tests.lm.helpers.exports import SHAPES, WORDS, assert_equal_logits, make_exported

torch = pytest.importorskip("torch", reason="the extra torch is not installed")

Compose = Callable[..., dict[str, Any]]
TEXTS = (
    "It\u2019s \u201cquoted\u201d \u2014 isn't it? (Yes; no: 3.14!)\nnew line - end & more\n",
    "soft\u00adhyphen word\u2060joiner \ufeffmark; na\u00efve cafe\u0301 \u0130stanbul STRA\u00dfE",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0964 \u0645\u0631\u062d\u0628\u0627\u060c",
    "\u05e6\u05d4\u05f4\u05dc \u05d1\u05be \u0565\u055b\u0580",
    "<unk> <eos> <other> x<unk>y <UNK>\n\n  two  blanks\t_under_ \u2026 \u3002\u4e2d\u6587\uff0c",
    "",
)


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_states_equal_the_models(compose: Compose, tmp_path: Path, shape: str) -> None:
    model, reference, _ = make_exported(compose, SHAPES[shape])
    to_torch.write(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(to_torch.FILES)
    assert_equal_logits(model, to_torch.logits_of(tmp_path), reference)


def test_weights_are_plain_tensors_and_tied_ones_are_there_once(
    compose: Compose, tmp_path: Path
) -> None:
    model, _, _ = make_exported(compose, SHAPES["tied"])
    to_torch.write(model, tmp_path)
    weights = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert {type(value) for value in weights.values()} == {torch.Tensor}
    table, output = weights["embedding.weight"], weights["output.weight"]
    assert table.data_ptr() == output.data_ptr()


@pytest.fixture(scope="module")
def module(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`model.py` of a folder, and the folder."""
    from lm.serialization import torch_model

    return torch_model


@pytest.mark.parametrize("level", ["word", "char"])
@pytest.mark.parametrize("corpus", ["lee", "sherlock", "ptb", "text", "code"])
def test_text_is_cut_as_in_training(compose: Compose, module: Any, corpus: str, level: str) -> None:
    files = ["data.files=[a.txt]"] if corpus == "text" else []
    config = parse_config(compose(f"data={corpus}", f"data.level={level}", *files)).data
    assert isinstance(config, DataConfig)
    for text in TEXTS:
        assert module.tokenize(text, corpus, level) == tokenize(text, config)


def test_words_are_read_as_they_were(compose: Compose, module: Any, tmp_path: Path) -> None:
    model, _, _ = make_exported(compose, SHAPES["lstm"])
    to_torch.write(model, tmp_path)
    assert module.read_vocabulary(tmp_path / "vocabulary.tsv") == WORDS
    loaded = module.load(tmp_path)
    assert loaded.encode("word3 nothing word0") == [WORDS.index("word3"), 0, WORDS.index("word0")]
    loaded.ids.pop("<unk>")
    with pytest.raises(ValueError, match="'nothing' is not in the vocabulary"):
        loaded.encode("nothing")


def test_other_format_is_refused(compose: Compose, module: Any, tmp_path: Path) -> None:
    model, _, _ = make_exported(compose, SHAPES["lstm"])
    to_torch.write(model, tmp_path)
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="has format 2, and this file reads format 1"):
        module.load(tmp_path)
