"""Commands and blocks of code that documents print."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "RESULTS.md"]
"""Documents whose commands are checked, and not run."""

PROGRAMS = [
    "cd",
    "eval",
    "export",
    "gunzip",
    "iconv",
    "npm",
    "pip",
    "pytest",
    "python",
    "ray",
    "ruff",
    "srun",
    "sweeps",
    "tensorboard",
]
SHELL = re.compile(rf"\$ |#SBATCH |\w+=\$\(|(\w+=\S+ )*({'|'.join(PROGRAMS)})\b")
"""How a paragraph of commands begins, where no language is given."""


@dataclass(frozen=True)
class Block:
    """A block of code, without its indentation or fences."""

    page: str
    line: int
    language: str
    """Given after a fence, or guessed: shell, python, or empty for a listing."""
    text: str

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """Lines for a shell, continued ones in one piece, without comments and output."""
        text = re.sub(r"\\\n\s*", "", self.text)
        parts = [part for part in re.split(r"\n\s*\n", text) if SHELL.match(part)]
        lines = [line.removeprefix("$ ").strip() for part in parts for line in part.splitlines()]
        return [line for line in lines if not line.startswith("#")]


def blocks(page: Path) -> list[Block]:
    """All blocks of a document, in order: fenced ones, and those that are indented by four."""
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, line, language or _guess(text), text)
        for line, language, text in _split(page.read_text(encoding="utf-8").splitlines())
    ]


def _split(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    at = 0
    while at < len(lines):
        start = at
        if fence := re.match(r"(`{3,})\s*(\w*)", lines[at]):
            while not lines[at := at + 1].startswith(fence[1]):
                pass
            at += 1
            yield (
                start + 2,
                _LANGUAGES.get(fence[2], fence[2]),
                "\n".join(lines[start + 1 : at - 1]),
            )
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            yield start + 1, "", dedent("\n".join(lines[start:at])).strip("\n")
        else:
            at += 1


_LANGUAGES = {"bash": "shell", "sh": "shell", "console": "shell", "text": ""}


def _guess(text: str) -> str:
    if SHELL.match(text):
        return "shell"
    return "python" if text.startswith(("from ", "import ")) else ""


@dataclass(frozen=True)
class Command:
    """A call of one of our modules or scripts that stands anywhere in a document."""

    place: str
    module: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join([self.module, *self.arguments])


_OURS = re.compile(
    r"(?<![\w^(])python (?:-m ((?:lm|benchmarks|scripts)(?:\.\w+)*)|(scripts/\w+)\.py)"
    r"((?:(?! &)[^\n`])*)"
)


def commands(page: Path) -> list[Command]:
    """Every call of a module of ours: in blocks, in what a block says was printed, in prose."""
    name = page.relative_to(ROOT).as_posix()
    text = page.read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", lambda match: " " * len(match[0]), text)
    found = []
    for match in _OURS.finditer(joined):
        line = text.count("\n", 0, match.start()) + 1
        module = match[1] or match[2].replace("/", ".")
        found.append(Command(f"{name}:{line}", module, tuple(shlex.split(match[3], comments=True))))
    return found
