"""Functions that an application names in its configuration: where they are, and their import."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sweeps.errors import UserError

_loading = 0
"""How many calls of `locate` are importing a module right now."""


def is_loading() -> bool:
    """Whether `locate` is importing a module right now, which calls this."""
    return _loading > 0


@contextmanager
def _while_loading() -> Iterator[None]:
    global _loading
    _loading += 1
    try:
        yield
    finally:
        _loading -= 1


def find(path: str) -> Any:
    """Import what a path names, see `locate`; raises Python's own errors."""
    module, names = _parts(path)
    with _while_loading():
        found: Any = _load(module)
    for name in names.split(".") if names else ():
        found = getattr(found, name)
    return found


def locate(path: str) -> Callable[..., Any]:
    """Import a function.

    Args:
      path: one of `package.module.name`; `package.module:name.attribute`, as entry points of
        packages are written; `/folder/file.py:name.attribute`; `/folder/file.pkl:attribute`, of an
        object that cloudpickle wrote.

    Raises:
      UserError: there is no such function.
    """
    try:
        found = find(path)
    except (ModuleNotFoundError, FileNotFoundError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} cannot be imported ({error}); install what is missing, or mend its name in "
            "hydra.sweeper."
        ) from error
    if not callable(found):
        raise UserError(f"{path} is a {type(found).__name__} and no function; name a function.")
    return found  # type: ignore[no-any-return]


def thread_limits(cpus: int, gpus: float) -> dict[str, str]:
    """Environment variables that limit a worker to as many threads as it has CPUs.

    OpenMP, OpenBLAS, MKL and PyTorch read the first, XLA the second. One that is set already stays
    as it is. They are recorded with each trial, so that its reproduction has as many threads.
    """
    return {name: os.environ.get(name, str(cpus)) for name in ("OMP_NUM_THREADS", "NPROC")}


def source_folder(path: str) -> Path:
    """The folder of the module that holds a function, without importing it; see `locate`."""
    module, _ = _parts(path)
    if _is_file(module):
        return Path(module).parent
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent if spec and spec.origin else Path.cwd()


def program_files(path: str) -> list[Path]:
    """The files of a function's program that this process has imported, its own folder's and below.

    Empty for a function that is named by module alone, `package.module.name`: commands do not
    import it.
    """
    module, _ = _parts(path)
    if ":" not in path or module.endswith(".pkl"):
        return []
    folder = source_folder(path).resolve()
    files = {file for one in list(sys.modules.values()) if (file := _file_of(one))}
    below = (file for file in files if file.is_relative_to(folder) and file.suffix == ".py")
    return sorted(file for file in below if not _is_installed(file.relative_to(folder)))


def _is_installed(file: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & set(file.parts))


def _parts(path: str) -> tuple[str, str]:
    """The module or file of a path, and the names in it."""
    module, colon, names = path.rpartition(":")
    if colon:
        return module, names
    module, _, name = path.rpartition(".")
    return module, name


def _is_file(module: str) -> bool:
    return module.endswith((".py", ".pkl"))


def _load(module: str) -> Any:
    if not _is_file(module):
        return importlib.import_module(module)
    if module.endswith(".pkl"):
        import cloudpickle

        return cloudpickle.loads(Path(module).read_bytes())
    return _load_file(Path(module))


def _load_file(file: Path) -> ModuleType:
    """Import a Python file as `import` would from its own folder; once in a process."""
    if not file.exists():
        raise FileNotFoundError(f"{file} is no file")
    for module in (sys.modules["__main__"], *map(sys.modules.get, (file.stem, str(file)))):
        if module is not None and _file_of(module) == file.resolve():
            return module
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))  # as for a program, for the modules beside it
    if file.stem.isidentifier() and file.stem not in sys.modules:
        found = importlib.util.find_spec(file.stem)
        if found and found.origin and Path(found.origin).resolve() == file.resolve():
            return importlib.import_module(file.stem)
    # Its name is no module's, or another's.
    spec = importlib.util.spec_from_file_location(str(file), file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[str(file)] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[str(file)]
        raise
    return module


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) else None
