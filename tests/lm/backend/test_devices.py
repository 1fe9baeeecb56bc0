"""What a run records of its surroundings gives another process the same."""

import importlib.metadata
import importlib.util
import os
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lm.backend import devices
from lm.backend.devices import (
    DEVICES,
    environment,
    has_gpu_plugin,
    require_gpu,
    runtime_environment,
    set_devices,
)
from sweeps.errors import UserError


def test_surroundings_of_a_worker_are_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    share = environment(3, 0)
    for name, value in share.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XLA_FLAGS", "--a")
    found = runtime_environment()
    assert found["cpus"] == 3
    assert {**share, "XLA_FLAGS": "--a"}.items() <= found["environment"].items()


@pytest.mark.parametrize(
    ("cpus", "asked", "devices"),
    [(1, None, "1"), (2, None, "2"), (8, None, "2"), (8, "4", "4"), (2, "1", "1"), (1, "2", "1")],
)
def test_cores_are_at_most_two_devices_unless_the_user_says_so(
    monkeypatch: pytest.MonkeyPatch, cpus: int, asked: str | None, devices: str
) -> None:
    monkeypatch.setenv("NPROC", str(cpus))
    monkeypatch.delenv(DEVICES)
    if asked is not None:
        monkeypatch.setenv(DEVICES, asked)
    assert environment(cpus, 0)[DEVICES] == devices
    set_devices()
    assert os.environ[DEVICES] == (asked or devices)
    assert runtime_environment()["environment"][DEVICES] == os.environ[DEVICES]


def test_threads_that_nobody_set_are_the_cores_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPROC", raising=False)
    found = runtime_environment()
    assert 1 <= found["cpus"] <= (os.cpu_count() or 1)
    assert found["environment"]["NPROC"] == str(found["cpus"])


@pytest.mark.parametrize(
    ("threads", "facts", "eigen"),
    [
        ("1", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2 avx512f"}, True),
        ("2", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2 avx512f"}, False),
        ("1", {"vendor_id\t: GenuineIntel", "flags\t\t: fpu avx2"}, False),
        ("1", {"vendor_id\t: AuthenticAMD", "flags\t\t: fpu avx2 avx512f"}, False),
        ("1", {"arm64"}, False),
    ],
)
def test_products_are_eigens_where_that_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch, threads: str, facts: set[str], eigen: bool
) -> None:
    monkeypatch.setenv("NPROC", threads)
    monkeypatch.setattr(devices, "processor", lambda: facts)
    assert devices.prefers_eigen() == eigen


NO_CUDA = (
    "sweep.gpus_per_trial={}, but this JAX has no CUDA; pip install 'lm-sweeps[gpu]', or give "
    "sweep.gpus_per_trial=0."
)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Sets the plugins of JAX that are installed, and files below the installed packages."""

    def install(plugins: tuple[str, ...], files: tuple[str, ...]) -> None:
        named = [SimpleNamespace(name=name) for name in plugins]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: named)
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()

        def find_spec(name: str) -> ModuleSpec | None:
            if not (tmp_path / name).is_dir():
                return None
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(tmp_path / name)]
            return spec

        monkeypatch.setattr(importlib.util, "find_spec", find_spec)

    return install


@pytest.mark.parametrize(
    ("plugins", "files", "found"),
    [
        ((), (), False),
        (("xla_cuda13",), (), True),
        (("xla_cuda12",), (), True),
        (("xla_rocm7",), (), True),
        (("tpu",), (), False),
        ((), ("jax_plugins/xla_cuda13/__init__.py",), True),
        ((), ("jax_plugins/libtpu/__init__.py",), False),
        ((), ("jaxlib/cuda/_versions.cpython-311-x86_64-linux-gnu.so",), True),
        ((), ("jaxlib/cuda/__init__.py", "jaxlib/mlir/x.so"), False),
    ],
)
def test_trial_with_a_gpu_is_refused_where_jax_has_none(
    installed: Any, plugins: tuple[str, ...], files: tuple[str, ...], found: bool
) -> None:
    installed(plugins, files)
    assert has_gpu_plugin() == found
    assert environment(1, 0)["JAX_PLATFORMS"] == "cpu"
    if found:
        assert environment(1, 0.5)["XLA_CLIENT_MEM_FRACTION"] == "0.450"
        return
    for gpus, text in ((1.0, "1"), (0.25, "0.25")):
        with pytest.raises(UserError) as error:
            environment(1, gpus)
        assert str(error.value) == NO_CUDA.format(text)


def test_worker_refuses_to_train_on_the_cpu_beside_its_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_gpu(0)
    monkeypatch.setattr("jax.default_backend", lambda: "gpu")
    require_gpu(1)
    monkeypatch.setattr("jax.default_backend", lambda: "cpu")
    with pytest.raises(UserError) as error:
        require_gpu(1)
    assert str(error.value) == NO_CUDA.format("1")
