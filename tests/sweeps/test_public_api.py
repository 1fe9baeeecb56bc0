"""What `import sweeps` offers, and that it stays light."""

import subprocess
import sys

import pytest

import sweeps


@pytest.mark.parametrize("name", sweeps.__all__)
def test_public_name_is_imported_on_use(name: str) -> None:
    assert getattr(sweeps, name) is not None
    assert name in dir(sweeps)


def test_public_name_stays_what_it_is_when_the_module_of_that_name_is_imported() -> None:
    program = """
import importlib, pkgutil, types, sweeps
for found in pkgutil.iter_modules(sweeps.__path__, "sweeps."):
    importlib.import_module(found.name)
for name in sweeps.__all__:
    for _ in range(2):
        assert not isinstance(getattr(sweeps, name), types.ModuleType), name
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        sweeps.lode  # noqa: B018


def test_importing_sweeps_loads_no_heavy_library() -> None:
    program = "import sys, sweeps; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert not {"pandas", "numpy", "optuna", "plotly", "ray"} & set(done.stdout.split())


def test_importing_run_and_values_loads_neither_ray_nor_jax() -> None:
    program = "import sys; from sweeps import Histogram, Run, UserError; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"pandas", "optuna", "plotly", "ray", "jax"} & set(done.stdout.split())
