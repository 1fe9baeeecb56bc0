"""What is printed goes through few functions, so that text of others is no markup."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRINTING = "sweeps/io/console.py"
"""Makes consoles and prints with them."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("lm", "sweeps"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{name}:{node.lineno}", node


def called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def test_consoles_are_made_without_markup() -> None:
    made = [place for place, node in calls() if called(node) == "Console"]
    assert {place.partition(":")[0] for place in made} == {PRINTING}
    for place, node in calls():
        if called(node) == "Console":
            off = {word.arg for word in node.keywords if ast.unparse(word.value) == "False"}
            assert {"markup", "emoji"} <= off, place


def test_consoles_print_in_one_place() -> None:
    wrong = [
        place
        for place, node in calls()
        if isinstance(node.func, ast.Attribute)
        and node.func.attr in ("print", "log", "rule", "print_json")
        and "console" in ast.unparse(node.func.value).lower()
        and not place.startswith(PRINTING)
    ]
    assert not wrong, "print with the functions of sweeps.io.console"


def test_text_of_others_is_no_markup_in_columns_and_states() -> None:
    """Rich reads markup in these whatever the console says."""
    for place, node in calls():
        if called(node) == "TextColumn" or ast.unparse(node.func) == "Text.from_markup":
            off = {word.arg for word in node.keywords if ast.unparse(word.value) == "False"}
            assert "markup" in off, place
        if called(node) in ("status", "track") and isinstance(node.func, ast.Attribute):
            assert not any(_is_foreign(word) for word in node.args), place


def _is_foreign(node: ast.expr) -> bool:
    """Whether a text has values in it that are not numbers."""
    return isinstance(node, ast.JoinedStr) and any(
        isinstance(part, ast.FormattedValue)
        and not (isinstance(part.value, ast.Call) and called(part.value) in ("len", "_count_text"))
        for part in node.values
    )
