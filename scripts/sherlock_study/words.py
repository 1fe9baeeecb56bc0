"""Word vectors, generated text and held-out words of our trials, which the study judged by eye.

Each is a command of this program, run on trials that have finished.
"""

import csv
import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.tables import Table, as_markdown
from scripts.sherlock_study import published
from scripts.sherlock_study.tables import number, percent
from scripts.sherlock_study.trials import StudyTrial, pick

LENGTHS = ("20", "5")
WORDS = 250
"""Words of a text, as many as the study generated."""
QUOTED = 400
"""Characters of a text that are shown."""
DRAWN_AT = 0.8
QUERIES = (
    *("--table", "embedding", "--similar", "run", "mr"),
    *("--count", "5", "--analogy", "had:has:was", "--judge"),
)
BESIDE = "+vectors=[skipgram,cbow,window]"
"""The last is the study's own baseline: it predicts a word from the two to either side."""


def command(module: str, *arguments: str) -> str:
    """Run one of this program's commands and return what it prints.

    Raises:
      RuntimeError: it failed; says how.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "110"},
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def vectors(trials: Sequence[StudyTrial]) -> str:
    """Nearest words, the analogy and people's judgement: of both lengths, and beside Word2Vec.

    The study's answers stand first.
    """
    found = [pick(trials, sequence_length=length) for length in LENGTHS]
    folders = [str(trial.directory) for trial in found if trial]
    theirs = [f"{query}: {answer}" for query, answer in published.NEAREST.items()]
    own = _transcript(*folders, *QUERIES)
    beside = _transcript(folders[0], *QUERIES, BESIDE)
    parts = {
        "The study's RNN": theirs,
        "Ours, of 20 and of 5 words": own,
        "That of 20 beside Skip-gram, CBOW and the study's window model": beside,
    }
    lines: list[str] = []
    for title, part in parts.items():
        lines += [f"{title}:", "", *_code(part), ""]
    return "\n".join(lines).rstrip()


def _transcript(*arguments: str) -> list[str]:
    """A command of vectors as it is typed, and what it prints."""
    typed = shlex.join(["python", "-m", "lm.vectors", *arguments])
    printed = command("lm.vectors", *arguments).rstrip().splitlines()
    return [typed, "", *(line for line in printed if not _unanswered(line))]


def _unanswered(line: str) -> bool:
    """Whether it is a section of analogies of which no table knows one in a hundred."""
    shares = re.findall(r"(\d+\.\d)%", line)
    section = re.match(r"  [a-z]", line) is not None
    return section and bool(shares) and max(map(float, shares)) < 1


def _code(lines: Iterable[str]) -> list[str]:
    return [f"    {line}".rstrip() for line in lines]


def generated(trials: Sequence[StudyTrial]) -> str:
    """The likeliest continuation of the study's seed words by both lengths, and where it loops."""
    found = {length: pick(trials, sequence_length=length) for length in LENGTHS}
    return _likeliest({f"{length} words": trial for length, trial in found.items() if trial})


def _likeliest(shown: Mapping[str, StudyTrial]) -> str:
    """A table of arg-max texts, and how each begins."""
    rows, texts = [], []
    for name, trial in shown.items():
        tokens, text = _continue(trial.directory, temperature=0)
        where = loop(tokens, int(trial.config["train"]["sequence_length"]))
        rows.append([name, str(len(set(tokens))), *map(str, where or ("never", "-"))])
        texts += [f"{name}:", "", *_quoted(text), ""]
    header = ["", f"different words of {WORDS}", "loops from word", "loop's length"]
    return "\n".join([as_markdown(Table("Arg-max text", header, rows)), *texts]).rstrip()


def longer(trials: Sequence[StudyTrial]) -> str:
    """Texts and nearest words of the longest training that predicts the last word."""
    if (trial := pick(trials, predict="last")) is None:
        return ""
    name = f"{len(trial.ends)} epochs"
    _, drawn = _continue(trial.directory, temperature=DRAWN_AT)
    parts = [_likeliest({name: trial}), f"{name}, drawn at temperature {DRAWN_AT}:"]
    nearest = _code(_transcript(str(trial.directory), *QUERIES))
    return "\n\n".join([*parts, "\n".join(_quoted(drawn)), "\n".join(nearest)])


def _continue(directory: Path, temperature: float) -> tuple[list[str], str]:
    """How a model goes on after the seed, as words and as prose."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sample.jsonl")
        how = ("--words", str(WORDS), "--temperature", f"{temperature:g}", "--out", str(file))
        command("lm.generate", str(directory), "--prompt", published.SEED, *how)
        sample = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
    return list(sample["tokens"]), str(sample["text"])


def _quoted(text: str) -> list[str]:
    """Shorten a text to its beginning."""
    short = textwrap.shorten(text, QUOTED, placeholder=" ...")
    return [f"> {line}" for line in textwrap.wrap(short, 96)]


def loop(tokens: Sequence[str], window: int) -> tuple[int, int] | None:
    """Find where an arg-max text begins to repeat itself, and after how many words.

    The model reads `window` words.

    What follows depends on the last `window` words alone, so once these come back all does.
    """
    seen: dict[tuple[str, ...], int] = {}
    for end in range(window, len(tokens) + 1):
        words = tuple(tokens[end - window : end])
        if words in seen:
            return seen[words] - window, end - seen[words]
        seen[words] = end
    return None


def splits(trials: Sequence[StudyTrial]) -> str:
    """Full-softmax perplexity on the training and the validation text, with and without <unk>."""
    rows = []
    for predict in ("last", "all"):
        if (trial := pick(trials, predict=predict)) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "words.csv")
            how = ("--split", "train,valid", "--words", str(file))
            command("lm.evaluate", str(trial.directory), *how)
            found = perplexities(file)
        rows += [[f"`{predict}`", split, *numbers] for split, numbers in found.items()]
    header = ["predict", "text", "perplexity", "without `<unk>`", "of `<unk>`"]
    table = Table("Perplexity of the full softmax after training", header, rows, words=2)
    return as_markdown(table).rstrip()


def perplexities(file: Path) -> Mapping[str, list[str]]:
    """Text of a table of words -> its perplexity, that of known words, the share of others."""
    losses: dict[str, dict[bool, list[float]]] = defaultdict(lambda: {True: [], False: []})
    with file.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            losses[row["text"]][row["word"] == "<unk>"].append(-float(row["log_probability"]))
    found = {}
    for name, parts in losses.items():
        both = parts[True] + parts[False]
        means = [math.fsum(part) / len(part) for part in (both, parts[False])]
        share = len(parts[True]) / len(both)
        found[name] = [*(number(math.exp(mean), 1) for mean in means), percent(share)]
    return found
