"""The package stays light, and knows nothing of the application."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import sweeps

PACKAGE = Path(sweeps.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)
HEAVY = {"ray", "jax", "flax", "optax", "lm", "tensorflow", "pandas", "optuna", "plotly", "pyarrow"}
HEAVY |= {"mlflow", "wandb"}


def imported(path: Path) -> Iterator[str]:
    """Libraries that a file imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).partition(".")[0]


def users(library: str) -> set[str]:
    """Packages of sweeps with a file that imports a library."""
    return {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if library in imported(path)
    }


def test_importing_all_modules_but_few_loads_no_heavy_library() -> None:
    """Data frames and exports need theirs, which may be missing, and are imported when used."""
    apart = ("sweeps.analysis.dataframes", "sweeps.analysis.plots", "sweeps.export.to_")
    light = [module for module in MODULES if not module.startswith(apart)]
    program = f"import sys, {', '.join(light)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=True
    ).stdout.split()
    assert not HEAVY & set(loaded)


def test_each_outside_library_stands_in_one_package_and_the_application_in_none() -> None:
    assert users("ray") == {"tune"}
    assert users("tensorboard") == {"tensorboard"}
    assert users("pyarrow") == {"io"}
    assert users("pandas") == {"analysis"}
    assert users("plotly") == {"analysis"}
    for library in ("lm", "jax", "flax", "optax"):
        assert not users(library)
