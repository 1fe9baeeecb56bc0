"""The package stays light, and knows nothing of the application."""

import ast
import subprocess
import sys
from pathlib import Path

import sweeps

PACKAGE = Path(sweeps.__file__).parent


def test_importing_needs_neither_ray_nor_jax() -> None:
    modules = ("run", "sweeper", "writer", "store", "plan", "results", "worker", "rerun")
    program = f"import sys, {', '.join(f'sweeps.{name}' for name in modules)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=True
    ).stdout.split()
    assert not {"ray", "jax", "flax", "optax", "lm", "tensorflow"} & set(loaded)


def test_few_files_know_ray_and_none_the_application() -> None:
    users: dict[str, set[str]] = {}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                users.setdefault(name.partition(".")[0], set()).add(path.stem)
    assert users["ray"] == {
        "cluster",
        "runner",
        "scheduler",
        "optuna_search",
        "trainable",
        "watch",
    }
    assert not {"lm", "jax", "flax", "optax"} & set(users)
