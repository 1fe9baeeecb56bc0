"""A recurrent language model in PyTorch; this file needs PyTorch alone.

    python model.py --text FILE        # perplexity of a UTF-8 text

    from model import load               # in the folder of this file, or with it in sys.path
    model = load("FOLDER")
    logits, state = model(ids)           # ids: int64 [T, B], time first; logits of the next words
    logits, state = model(more, state)   # what comes next in the same texts
    model.score(model.encode("a text"))  # log-probability of each word but the first, in nats

The model: word vectors -> recurrent layers -> a tanh layer, if it has one -> logits of all words.
Beside this file lie `config.json`, which says what the model is, `vocabulary.tsv`, a word and its
count for each id, and `weights.pt`, a state dict.
"""

import argparse
import json
import math
import re
import unicodedata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

State = list[tuple[Tensor, ...]]
"""For each recurrent layer (h,), for an LSTM (h, c); each [B, units]."""

LAYERS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CHUNK = 256
"""Words that `score` reads at once."""


class LanguageModel(nn.Module):
    """Reads words, and gives the logits of the word after each of them."""

    def __init__(self, config: dict[str, Any], words: list[str]) -> None:
        """Make a model whose weights are not read yet.

        Args:
          config: the content of `config.json`.
          words: in the order of their ids.
        """
        super().__init__()
        self.config, self.words = config, words
        self.ids = {word: i for i, word in enumerate(words)}
        self.embedding = nn.Embedding(len(words), config["embed_size"])
        width, layers = config["embed_size"], []
        for units in config["layer_sizes"]:
            layers.append(LAYERS[config["cell"]](width, units))
            width = units
        self.layers = nn.ModuleList(layers)
        self.hidden = None
        if config["hidden_size"] is not None:
            self.hidden = nn.Linear(width, config["hidden_size"])
            width = config["hidden_size"]
        self.output = nn.Linear(width, len(words))
        if config["tie_weights"]:
            self.output.weight = self.embedding.weight

    def zero_state(self, batch_size: int) -> State:
        """Return the state before the first word of a text."""
        arrays = 2 if self.config["cell"] == "lstm" else 1
        return [
            tuple(self.output.bias.new_zeros(batch_size, units) for _ in range(arrays))
            for units in self.config["layer_sizes"]
        ]

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read words [T, B] from a state on; None: from the start of a text.

        Returns:
          Logits [T, B, V] of the word after each, and the state after the last one.
        """
        features, after = self.features(ids, state)
        return self.output(features), after

    def features(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read words, as `forward` does; give what the softmax sees of them, and the state."""
        x, after = self.embedding(ids), []
        for layer, before in zip(self.layers, state or self.zero_state(ids.shape[1]), strict=True):
            # PyTorch's layers take the state with a first axis, [1, B, units].
            now = tuple(array[None].contiguous() for array in before)
            x, now = layer(x, now if len(now) == 2 else now[0])
            after.append(tuple(array[0] for array in (now if len(before) == 2 else (now,))))
        if self.hidden is not None:
            x = torch.tanh(self.hidden(x))
        return x, after

    @torch.no_grad()
    def score(self, ids: list[int]) -> list[float]:
        """Return the log-probability of each word of a text that is predicted, in nats.

        These are all words but the first. A model that was trained to predict the last word of a
        window alone (`predict` is "last") predicts those that have a window before them, each from
        a zero state.
        """
        text, found = torch.tensor(ids, device=self.output.bias.device), []
        if self.config["predict"] == "last":
            windows = text.unfold(0, self.config["sequence_length"] + 1, 1)
            for part in windows.split(CHUNK):
                features, _ = self.features(part[:, :-1].T)
                found.append(_log_probs(self.output(features[-1]), part[:, -1]))
        else:
            state = None
            for inputs, targets in zip(text[:-1].split(CHUNK), text[1:].split(CHUNK), strict=True):
                logits, state = self(inputs[:, None], state)
                found.append(_log_probs(logits[:, 0], targets))
        return [number for part in found for number in part.tolist()]

    def encode(self, text: str) -> list[int]:
        """Cut a text into words (or characters), as in training, and number them.

        Raises:
          ValueError: one is unknown, and the vocabulary has no `<unk>` to stand for it.
        """
        tokens = tokenize(text, self.config["corpus"], self.config["level"])
        unknown = self.ids.get("<unk>")
        found = [self.ids.get(token, unknown) for token in tokens]
        for token, number in zip(tokens, found, strict=True):
            if number is None:
                raise ValueError(f"{token!r} is not in the vocabulary, which has no <unk>.")
        return [number for number in found if number is not None]


def _log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    return logits.log_softmax(-1).gather(1, targets[:, None])[:, 0]


def tokenize(text: str, corpus: str, level: str) -> list[str]:
    """Cut a text as the program does that trained the model.

    Characters are taken as they stand, and the Penn Treebank is cut already. All else is cut into
    words in lower case and punctuation marks; other signs are dropped.

    Args:
      text: with newlines as the ends of lines.
      corpus: `corpus` of `config.json`.
      level: `level` of `config.json`, "word" or "char".
    """
    if level == "char":
        return list(text)
    if corpus == "ptb":
        return text.replace("\n", " <eos> ").split()
    if corpus != "sherlock":
        text = text.translate(str.maketrans("\u2018\u2019\u201c\u201d", "''\"\""))
    # Signs that are not seen, such as the soft hyphen, end no word.
    text = text.translate(dict.fromkeys(map(ord, "\u00ad\u2060\ufeff\u200e\u200f\u061c"))).lower()
    in_words = "'\u055a\u055b\u055c\u055e\u05f3\u05f4"  # the apostrophe, and its like elsewhere
    joiners = "\u200c\u200d\u180e"
    # `re` has no classes for combining marks and for punctuation of other scripts.
    marks = [sign for sign in set(text) if sign in joiners or unicodedata.category(sign)[0] == "M"]
    foreign = [
        sign
        for sign in set(text) - set(in_words)
        if unicodedata.category(sign)[0] == "P"
        and ord(sign) >= 0x370
        and not (0x2000 <= ord(sign) < 0x2070 or 0x2E00 <= ord(sign) < 0x2E80)
    ]
    special = ["<unk>", "<eos>"] if corpus == "text" else []
    word = rf"[\w{in_words}][\w{in_words}{''.join(sorted(marks))}]*"
    mark = rf"""[;:\-()&.,!?"{"".join(sorted(foreign))}]"""
    return re.findall("|".join([*special, word, mark]), text)


def load(folder: str | Path) -> LanguageModel:
    """Read the model of a folder, ready to predict."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["format"] != 1:
        raise ValueError(f"{folder} has format {config['format']}, and this file reads format 1.")
    model = LanguageModel(config, read_vocabulary(folder / "vocabulary.tsv"))
    weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(weights)
    return model.eval()


def read_vocabulary(path: Path) -> list[str]:
    r"""Read the words of a table of word and count; \t \n \r \\ stand for what they do in C."""
    signs = {r"\t": "\t", r"\n": "\n", r"\r": "\r", r"\\": "\\"}
    _, *rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    words = [row.partition("\t")[0] for row in rows]
    return [re.sub(r"\\.", lambda match: signs[match[0]], word) for word in words]


def main() -> None:
    """Print the perplexity of a text."""
    parser = argparse.ArgumentParser(description="Perplexity of a text, read as one stream.")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE", help="a UTF-8 text")
    path = parser.parse_args().text
    model = load(Path(__file__).parent)
    try:
        ids = model.encode(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: {error}") from None
    scores = model.score(ids) if len(ids) > 1 else []
    if not scores:
        raise SystemExit(f"{path} has {len(ids)} tokens, too few to predict one; give more text.")
    loss = -sum(scores) / len(scores)
    print(f"{path}: {len(scores):,} predicted, loss {loss:.6f} nats, perplexity {exp(loss):.4f}")


def exp(loss: float) -> float:
    """Return the exponential of a loss; infinity where no float holds it."""
    return math.exp(loss) if loss < 700 else math.inf


if __name__ == "__main__":
    main()
