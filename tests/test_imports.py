"""Who may import whom, and which outside libraries stand where."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JAX = {"jax", "jaxlib", "flax", "optax", "orbax"}


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, within functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def users(library: str) -> set[str]:
    """Files of the two packages that import a library."""
    files = [*ROOT.glob("lm/**/*.py"), *ROOT.glob("sweeps/**/*.py")]
    assert len(files) > 30
    return {
        path.relative_to(ROOT).as_posix()
        for path in files
        if any(name.partition(".")[0] == library for name in imports(path))
    }


def test_sweeps_knows_nothing_of_language_models() -> None:
    for library in ("lm", *JAX, "gensim", "torch"):
        assert not {path for path in users(library) if path.startswith("sweeps/")}, library


@pytest.mark.parametrize(
    ("library", "files"),
    [
        (
            "ray",
            {
                "sweeps/tune/tuner.py",
                "sweeps/tune/cluster.py",
                "sweeps/tune/schedulers.py",
                "sweeps/tune/optuna_searcher.py",
                "sweeps/tune/trainable.py",
                "sweeps/tune/callback.py",
            },
        ),
        ("gensim", {"lm/vectors/word_vectors.py", "lm/vectors/word2vec.py"}),
        ("scipy", {"lm/vectors/scores.py"}),
        ("sklearn", {"lm/vectors/word_map.py"}),
        ("threadpoolctl", {"lm/vectors/word_map.py"}),
        ("pandas", {"sweeps/analysis/dataframes.py"}),
        ("plotly", {"sweeps/report/__init__.py"}),
        ("torch", set()),
        ("orbax", set()),
        (
            "tensorboard",
            {
                "lm/gradient_flow/plugin/loader.py",
                "lm/gradient_flow/plugin/plugin.py",
                "lm/gradient_flow/plugin/event_reader.py",
                "lm/gradient_flow/plugin/data_reader.py",
                "lm/monitor/graph/graph_def.py",
                "sweeps/tensorboard/custom_scalars.py",
                "sweeps/tensorboard/event_file.py",
                "sweeps/tensorboard/hparams.py",
                "sweeps/tensorboard/server.py",
                "sweeps/tensorboard/protos.py",
            },
        ),
        ("optax", {"lm/optim/optimizer.py", "lm/optim/lazy_rows.py", "lm/training/step.py"}),
        (
            "flax",
            {
                "lm/model/cells.py",
                "lm/model/language_model.py",
                "lm/model/output_layer.py",
                "lm/model/recurrence.py",
                "lm/model/scan_vjp.py",
                "lm/monitor/graph/trace.py",
                "lm/training/functions.py",
                "lm/training/state.py",
            },
        ),
    ],
)
def test_outside_library_stands_in_few_files(library: str, files: set[str]) -> None:
    assert users(library) == files


@pytest.mark.parametrize(
    ("lower", "above"),
    [
        (
            "lm/model/cells.py",
            {
                "lm.model.recurrence",
                "lm.model.language_model",
                "lm.training.step",
            },
        ),
        (
            "lm/model/recurrence.py",
            {"lm.model.language_model", "lm.training.step"},
        ),
        (
            "lm/optim/lazy_rows.py",
            {
                "lm.model.language_model",
                "lm.losses.softmax",
                "lm.training.step",
                "lm.training.functions",
            },
        ),
        (
            "lm/model/language_model.py",
            {
                "lm.training.step",
                "lm.optim.optimizer",
                "lm.training.functions",
                "lm.training.loop",
            },
        ),
        ("lm/monitor/graph/graph_def.py", {"lm"}),
        (
            "lm/monitor/graph/trace.py",
            {"lm.training.step", "lm.training.functions", "lm.training.loop", "lm.train", "sweeps"},
        ),
        (
            "lm/losses/softmax.py",
            {"lm.model.language_model", "lm.training.step", "lm.config.schema"},
        ),
        (
            "lm/training/heldout.py",
            {
                "lm.training.step",
                "lm.training.functions",
                "lm.training.trainer",
                "lm.evaluation",
                "sweeps",
            },
        ),
        (
            "lm/training/load.py",
            {"lm.evaluation", "lm.evaluate", "lm.training.trainer", "lm.training.loop", "lm.train"},
        ),
        (
            "lm/evaluation/neural_cache.py",
            {
                "lm.config.schema",
                "lm.model.language_model",
                "lm.training.functions",
                "lm.training.load",
                "sweeps",
            },
        ),
        (
            "lm/gradient_flow/backward.py",
            {"lm.model.language_model", "lm.training.step", "lm.config.schema", "sweeps"},
        ),
        (
            "lm/gradient_flow/measures.py",
            {"lm.model.language_model", "lm.training.step", "lm.config.schema", "sweeps"},
        ),
        (
            "lm/gradient_flow/itemize.py",
            {"lm.training.functions", "lm.training.trainer", "lm.config.schema", "sweeps"},
        ),
        ("lm/gradient_flow/codec.py", {"lm", "sweeps"}),
        (
            "lm/vectors/benchmarks.py",
            {"lm.vectors", "lm.config.schema", "lm.training.load", "lm.model.language_model"},
        ),
        (
            "lm/vectors/neighbors.py",
            {"lm.config.schema", "lm.training.load", "lm.vectors.tables", "sweeps"},
        ),
        (
            "lm/vectors/training_metrics.py",
            {"lm.config.schema", "lm.training.load", "lm.monitor.monitor", "lm.vectors.tables"},
        ),
        (
            "lm/generation/decode.py",
            {
                "lm.training.step",
                "lm.training.functions",
                "lm.training.trainer",
                "lm.config.schema",
                "sweeps",
            },
        ),
        (
            "lm/generation/generator.py",
            {"lm.training.trainer", "lm.training.load", "lm.generate", "lm.train", "sweeps"},
        ),
        (
            "lm/vectors/word_map.py",
            {
                "lm.config.schema",
                "lm.training.load",
                "lm.training.functions",
                "lm.training.trainer",
            },
        ),
        (
            "lm/training/step.py",
            {
                "lm.training.functions",
                "lm.training.trainer",
                "lm.training.loop",
                "lm.train",
                "sweeps",
            },
        ),
        (
            "lm/training/functions.py",
            {"lm.training.trainer", "lm.training.loop", "lm.train", "sweeps"},
        ),
        (
            "lm/training/trainer.py",
            {"lm.training.loop", "lm.train", "lm.training.checkpoint", "sweeps"},
        ),
        ("lm/training/loop.py", {"lm.train", "lm.sweep", "lm.cli.hydra_main"}),
    ],
)
def test_imports_point_downwards(lower: str, above: set[str]) -> None:
    for name in imports(ROOT / lower):
        assert not {module for module in above if f"{name}.".startswith(f"{module}.")}, name


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("lm.train", {"ray", "gensim", *JAX}),
        ("lm.sweep", {"ray", "gensim", *JAX}),
        ("lm.reproduce", {"ray", "gensim", *JAX}),
        ("lm.evaluate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.generate", {"ray", "gensim", "pandas", *JAX}),
        ("lm.hooks.identity", {"ray", "gensim", *JAX}),
        ("lm.compare", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.generation.prompt", {"ray", "gensim", *JAX}),
        ("lm.generation.detokenize", {"ray", "gensim", *JAX}),
        ("lm.gradient_flow.__main__", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.board", {"ray", "gensim", "pandas", "optuna", "plotly", *JAX}),
        ("lm.vectors.__main__", {"ray", "gensim", "scipy", "sklearn", "pandas", "plotly", *JAX}),
        ("lm.training.loop", {"ray", "gensim", "pandas", "sklearn"}),
    ],
)
def test_importing_stays_light(module: str, absent: set[str]) -> None:
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not absent & set(done.stdout.split())
