"""Checks of the functions that an application names, which do not import their modules.

Commands must not import the program: that would load JAX or PyTorch into them.
"""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from sweeps.errors import UserError, did_you_mean


def check_hook(path: str, num_arguments: int, option: str) -> None:
    """Check that a dotted path names a function which can be called, without importing it.

    The module may load JAX or PyTorch. So its source is parsed, and what cannot be seen there is
    left to `locate`.

    Args:
      path: `package.module.name`; one with a colon is left to `locate`.
      num_arguments: positional arguments with which the function is called.
      option: key that holds the path.

    Raises:
      UserError: there is no such module or name in it, or the function takes other arguments.
    """
    if ":" in path:
        return
    module, _, name = path.rpartition(".")
    if not all(part.isidentifier() for part in path.split(".")) or not module:
        raise UserError(f"{option}={path} names no function; give package.module.function.")
    spec = _find_module(module, f"{option}={path}")
    if spec is None:
        return
    try:
        tree = _parse(spec)
    except (SyntaxError, ValueError) as error:
        raise UserError(
            f"{option}={path} cannot be imported, for {spec.origin} is no Python ({error}); mend "
            "it, or name another function."
        ) from error
    if tree is None:
        return
    found = [one for one in _bindings(tree) if one[0] == name]
    if not found and not _is_open(tree) and not _has_submodule(spec, name):
        functions = [one for one, node in _bindings(tree) if isinstance(node, ast.FunctionDef)]
        raise UserError(
            f"{option}={path} is no function of {module}; "
            f"{did_you_mean(name, list(dict.fromkeys(functions)))}."
        )
    if len(found) == 1 and isinstance(node := found[0][1], ast.FunctionDef):
        _check_arguments(node, num_arguments, f"{option}={path}")


def _find_module(name: str, given: str) -> ModuleSpec | None:
    """Find a module as an import does, but import none of its packages; None: it is not known.

    Raises:
      UserError: there is no such module.
    """
    try:
        return _walk_to(name, given)
    except KeyError:  # Python finds a namespace package in another package once that is imported
        return None


def _walk_to(name: str, given: str) -> ModuleSpec | None:
    places: list[str] | None = None
    spec: ModuleSpec | None = None
    here = ""
    for part in name.split("."):
        parent, here = spec, f"{here}.{part}" if here else part
        if here in sys.modules:
            spec = getattr(sys.modules[here], "__spec__", None)
        elif parent is not None and places is None:
            raise UserError(
                f"{given} cannot be imported ({parent.name} is a module, no package); mend its "
                "name."
            )
        else:
            spec = _find_spec(here, places)
            if spec is None and parent is not None and _makes_modules(parent):
                return None
            if spec is None:
                raise UserError(
                    f"{given} cannot be imported (there is no module {here}); install what is "
                    "missing, or mend its name."
                )
        if spec is None:
            return None
        found = spec.submodule_search_locations
        places = None if found is None else list(found)
    return spec


def _makes_modules(package: ModuleSpec) -> bool:
    """Whether a package may have modules without files."""
    try:
        tree = _parse(package)
    except (SyntaxError, ValueError):
        return True
    return tree is not None and any(map(_is_of_modules, ast.walk(tree)))


def _parse(spec: ModuleSpec) -> ast.Module | None:
    """The source of a module; None: it has none that can be read."""
    if not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        return ast.parse(Path(spec.origin).read_bytes())
    except OSError:
        return None


def _find_spec(name: str, places: list[str] | None) -> ModuleSpec | None:
    specs = (finder.find_spec(name, places) for finder in sys.meta_path)
    return next((spec for spec in specs if spec is not None), None)


def _bindings(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Name, and the node that binds it, of all that a module binds at its top."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield (alias.asname or alias.name).partition(".")[0], node
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        if not isinstance(node, ast.Lambda):
            yield from _bindings(node)


def _is_open(tree: ast.AST) -> bool:
    """Whether a module may have names that its source does not show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            return True
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if isinstance(node, ast.Name) and node.id in ("globals", "vars", "setattr", "exec"):
            return True
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            return True
        if _is_of_modules(node):
            return True
    return False


def _is_of_modules(node: ast.AST) -> bool:
    """Whether a node is `sys.modules`."""
    if not isinstance(node, ast.Attribute) or node.attr != "modules":
        return False
    return isinstance(node.value, ast.Name) and node.value.id == "sys"


def _has_submodule(spec: ModuleSpec, name: str) -> bool:
    if spec.submodule_search_locations is None:
        return False
    return _find_spec(f"{spec.name}.{name}", list(spec.submodule_search_locations)) is not None


def _check_arguments(function: ast.FunctionDef, num_arguments: int, given: str) -> None:
    """Refuse a function that cannot be called with so many positional arguments."""
    if function.decorator_list:
        return
    taken = function.args
    names = [one.arg for one in [*taken.posonlyargs, *taken.args]]
    at_least = len(names) - len(taken.defaults)
    at_most = num_arguments if taken.vararg else len(names)
    needed = [
        one.arg
        for one, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
        if default is None
    ]
    if at_least <= num_arguments <= max(at_most, len(names)) and not needed:
        return
    if needed:
        raise UserError(
            f"{given} cannot be called: it asks for {', '.join(needed)} by name; give a default."
        )
    count = "1 argument" if num_arguments == 1 else f"{num_arguments} arguments"
    raise UserError(
        f"{given} is called with {count}, and it takes {', '.join(names) or 'none'} "
        f"({function.name}, line {function.lineno}); mend its arguments."
    )
