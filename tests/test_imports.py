"""Who may import whom: the order of the packages, and where outside libraries stand."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}

# A package (or a file at the top) imports from the lines above its own, and from nothing else.
# `lm` may also import anything of `sweeps`.
SWEEPS = """
    errors labels
    io config naming
    search store
    analysis
    tensorboard report export
    tracking plan cli
    tune reproduce
    driver preview single_run function_options
    hydra_sweeper hydra_main
    hydra_jobs experiments
    plugin run_command
    __main__
"""
LM = """
    config
    backend data cli
    losses serialization
    model
    optim
    training
    generation evaluation gradient_flow vectors
    inference monitor
    objective
    hooks
    train sweep evaluate generate export compare board reproduce
"""
LEVELS = {
    f"{top}.{name}": level
    for top, table in (("sweeps", SWEEPS), ("lm", LM))
    for level, line in enumerate(table.split("\n"))
    for name in line.split()
}

# Outside libraries that are heavy, or that change often, and the packages that import them.
LIBRARIES = {
    "ray": {"sweeps.tune"},
    "tensorboard": {"sweeps.tensorboard", "lm.monitor", "lm.gradient_flow.plugin"},
    "pandas": {"sweeps.analysis"},
    "plotly": {"sweeps.analysis.plots", "sweeps.analysis.dataframes"},
    "optuna": {"sweeps.analysis", "sweeps.export.to_optuna", "sweeps.search.optuna_study"},
    "mlflow": {"sweeps.export.to_mlflow"},
    "wandb": {"sweeps.export.to_wandb"},
    "gensim": {"lm.inference", "lm.vectors"},
    "scipy": {"lm.vectors", "sweeps.analysis.significance"},
    "sklearn": {"lm.vectors"},
    "threadpoolctl": {"lm.vectors"},
    "optax": {"lm.optim", "lm.training"},
    "flax": {"lm.model", "lm.training", "lm.monitor.graph"},
    "torch": {"lm.serialization"},
    "onnx": {"lm.serialization"},
    "onnxruntime": {"lm.serialization"},
    "safetensors": {"lm.serialization"},
    "orbax": set(),
}


@cache
def imports() -> Mapping[str, set[str]]:
    """Module of ours -> dotted names that it imports, within functions and for types too."""
    return {
        module: {name for node in ast.walk(tree) for name in imported(node)}
        for module, tree in sources()
    }


def sources() -> Iterator[tuple[str, ast.AST]]:
    paths = [*ROOT.glob("lm/**/*.py"), *ROOT.glob("sweeps/**/*.py")]
    assert len(paths) > 150
    for path in paths:
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield module, ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "an import by a relative path"
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


@cache
def arrows() -> Mapping[str, set[str]]:
    """Module of ours -> modules of ours that it imports."""

    def module(name: str) -> str:
        return name if name in imports() else name.rpartition(".")[0]

    return {
        source: {module(name) for name in names if module(name) in imports()} - {source}
        for source, names in imports().items()
    }


def package(module: str) -> str:
    """`lm.data` for what is in it; a file at the top stands for itself."""
    return ".".join(module.split(".")[:2])


def test_packages_import_only_from_the_lines_above_theirs() -> None:
    wrong = [
        f"{source} imports {target}"
        for source, targets in arrows().items()
        for target in targets
        if "." in source and package(source) != package(target)
        if package(source).split(".")[0] == package(target).split(".")[0]
        if LEVELS[package(target)] >= LEVELS[package(source)]
    ]
    assert not wrong


def test_no_circle_of_files() -> None:
    left = {source: set(targets) for source, targets in arrows().items()}
    while free := {source for source, targets in left.items() if not targets & set(left)}:
        left = {source: targets for source, targets in left.items() if source not in free}
    assert not left, "each of these files imports another of them"


def test_table_of_packages_is_complete_and_the_page_on_architecture_names_each() -> None:
    assert {package(module) for module in imports() if "." in module} == set(LEVELS)
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    missing = {name for name in LEVELS if f"`{name.replace('.', '/', 1)}" not in page}
    assert not missing


def test_sweeps_knows_nothing_of_language_models() -> None:
    for module, names in imports().items():
        if module.startswith("sweeps"):
            assert not {name.split(".")[0] for name in names} & {"lm", "gensim", "torch", *JAX}


@pytest.mark.parametrize("library", LIBRARIES)
def test_outside_library_stands_in_few_packages(library: str) -> None:
    homes = LIBRARIES[library]
    users = {
        module
        for module, names in imports().items()
        if any(name.split(".")[0] == library for name in names)
    }
    assert not {
        module for module in users if not any(f"{module}.".startswith(f"{home}.") for home in homes)
    }
    for home in homes:
        assert any(f"{module}.".startswith(f"{home}.") for module in users), home


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("lm", {"ray", "hydra", "numpy", "gensim", "pandas", *JAX}),
        ("lm.train", {"ray", "gensim", *JAX}),
        ("lm.sweep", {"ray", "gensim", *JAX}),
        ("lm.reproduce", {"ray", "gensim", *JAX}),
        ("lm.evaluate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.generate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.export", {"ray", "gensim", "pandas", "torch", "onnx", "safetensors", *JAX}),
        ("lm.hooks.identity", {"ray", "gensim", *JAX}),
        ("lm.compare", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.generation.prompt", {"ray", "gensim", *JAX}),
        ("lm.generation.detokenize", {"ray", "gensim", *JAX}),
        ("lm.gradient_flow.__main__", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.board", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.vectors.__main__", {"ray", "gensim", "scipy", "sklearn", "pandas", "plotly", *JAX}),
        ("lm.inference", {"ray", "gensim", "pandas", "sklearn"}),
        ("lm.objective", {"ray", "gensim", "pandas", "sklearn", "scipy", "hydra"}),
        ("sweeps.tune.trainable", {"ray", "pandas", "optuna", "hydra", "omegaconf", *JAX}),
        ("sweeps", {"ray", "pandas", "optuna", "plotly", "tensorboard", *JAX}),
        ("sweeps.tracking", {"ray", "pandas", "optuna", "plotly", *JAX}),
        ("sweeps.cli.main", {"ray", "numpy", "pandas", "optuna", "rich", "hydra", *JAX}),
        ("sweeps.cli.listing", {"ray", "pandas", "optuna", "plotly", "tensorboard", *JAX}),
        ("sweeps.cli.show", {"ray", "pandas", "optuna", "plotly", "tensorboard", *JAX}),
        ("sweeps.cli.logs", {"ray", "pandas", "optuna", "plotly", "tensorboard", *JAX}),
        ("sweeps.cli.stop", {"ray", "pandas", "optuna", "plotly", "tensorboard", *JAX}),
        ("sweeps.cli.export", {"ray", "pandas", "optuna", "mlflow", "wandb", *JAX}),
    ],
)
def test_importing_stays_light(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not absent & set(done.stdout.split())
