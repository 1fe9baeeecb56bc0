"""Modules, symbols and paths that documents, comments and strings name exist."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["lm", "sweeps", "benchmarks", "scripts"]
# Not CHANGELOG.md, which names what there was before.
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "benchmarks/RESULTS.md", ".ci/run"]
FILES = [
    *(ROOT / name for name in DOCUMENTS),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("conf/**/*.yaml"),
    *(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py")),
]

BEGIN = r"(?<![\w./-])"
DOTTED = re.compile(rf"{BEGIN}(?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+(?![\w/])")
PATH = re.compile(rf"{BEGIN}(?:{'|'.join(PACKAGES)}|conf|docs|tests)(?:/[\w.-]+)+")
FILE_ENDING = re.compile(r"\.(py|md|csv|json|toml|html|js|yaml)$")
PLACEHOLDER = re.compile(r"\b(NAME|FILE)\b")


def texts(path: Path) -> Iterator[str]:
    """The prose of a file: of a module its comments and strings, of others every line."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from content.splitlines()
        return
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield from token.string.splitlines()


@cache
def names_of(module: Path) -> set[str]:
    """Names that a module binds anywhere: functions, classes, their fields, imports."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name)
    return found


@cache
def symbol_exists(dotted: str) -> bool:
    """Whether a dotted name is that of a package, of a module, or of what a module binds."""
    here, *rest = dotted.split(".")
    place = ROOT / here
    while rest and ((place / rest[0]).is_dir() or (place / f"{rest[0]}.py").is_file()):
        place /= rest.pop(0)
    module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return (module.is_file() and set(rest) <= names_of(module)) or not rest


def missing(text: str) -> Iterator[str]:
    """What a line of prose names that does not exist."""
    for dotted in DOTTED.findall(text):
        if not (FILE_ENDING.search(dotted) or PLACEHOLDER.search(dotted) or symbol_exists(dotted)):
            yield dotted
    for match in PATH.finditer(text):
        name = match.group().rstrip("./-")
        is_pattern = text[match.end() :].startswith(("*", "{")) or PLACEHOLDER.search(name)
        if not is_pattern and not (ROOT / name).exists():
            yield name


def test_modules_symbols_and_paths_that_are_named_exist() -> None:
    assert len(FILES) > 250
    assert not {
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for text in texts(path)
        for name in missing(text)
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see `lm.training.step.train_step` and `sweeps/tune/worker.py`", []),
        ("see `lm.training.step.StepBatch.at_rows`", []),
        ("lm.step.train_step", ["lm.step.train_step"]),
        ("lm.training.step.nothing_of_the_kind", ["lm.training.step.nothing_of_the_kind"]),
        ("lm/options.py, docs/nothing.md", ["lm/options.py", "docs/nothing.md"]),
    ],
)
def test_missing_names_are_found(text: str, names: list[str]) -> None:
    assert list(missing(text)) == names
