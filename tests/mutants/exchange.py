"""Turns a module that others have imported into one of its mutants."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from tests.mutants.mutations import Mutant

OUR_PACKAGES = ("patchbay", "tests")


class Exchange:
    """Applies mutants to a module. A process applies one, and is not used after that."""

    def __init__(self, module: ModuleType, path: Path) -> None:
        self._module, self._path = module, path
        self._fixed = _fixed_at_import(ast.parse(path.read_text()))

    def __call__(self, mutant: Mutant) -> bool:
        """Returns False if the module has to be imported again, such as for a class."""
        if mutant.in_body:
            applied = self._exchange_code(mutant)
        elif mutant.where in self._fixed:
            return False
        else:
            applied = self._compute_constants(mutant)
        if applied:
            _clear_caches()
        return applied

    def _exchange_code(self, mutant: Mutant) -> bool:
        """Gives a function the code of its mutant."""
        function = _function(self._module, mutant.where)
        code = _code_of(compile(mutant.source, str(self._path), "exec"), mutant.where)
        if function is None or code is None or code.co_freevars != function.__code__.co_freevars:
            return False
        function.__code__ = code
        return True

    def _compute_constants(self, mutant: Mutant) -> bool:
        """Assigns the variables of the module again, here and where they were imported to."""
        tree = ast.parse(mutant.source)
        tree.body = [node for node in tree.body if _assigned(node)]
        names = {name for node in tree.body for name in _assigned(node)}
        if mutant.where not in names:
            return False
        ours = vars(self._module)
        before = {name: ours[name] for name in names}
        exec(compile(tree, str(self._path), "exec"), ours)  # noqa: S102  # our own source
        for other in _our_modules():
            for name, value in before.items():
                if vars(other).get(name) is value:
                    setattr(other, name, ours[name])
        return True


def _fixed_at_import(tree: ast.Module) -> set[str]:
    """The names that classes and defaults have read at import, and what is in those classes."""
    fixed, read = set(), set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            fixed |= {node.name, *(f"{node.name}.{name}" for name in _names_in_class(node))}
        for part in _evaluated_by_definition(node):
            read |= _names(part)
    uses = {name: _names(node) for node in tree.body for name in _assigned(node)}
    # A constant is fixed too if one that is computed from it is.
    while more := {name for reader in read & uses.keys() for name in uses[reader]} - read:
        read |= more
    return fixed | read


def _names_in_class(node: ast.ClassDef) -> Iterator[str]:
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield inner.name
        yield from _assigned(inner)


def _evaluated_by_definition(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.args
            yield from node.decorator_list
        case ast.ClassDef():
            yield from (*node.bases, *node.keywords, *node.decorator_list)
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield from _evaluated_by_definition(inner)
                else:
                    yield inner


def _assigned(node: ast.stmt) -> list[str]:
    match node:
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            return [name]
    return []


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _function(module: ModuleType, where: str) -> FunctionType | None:
    found: Any = module
    for name in where.split("."):
        found = inspect.getattr_static(found, name, None)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    found = inspect.unwrap(found) if callable(found) else None
    return found if isinstance(found, FunctionType) else None


def _code_of(code: CodeType, where: str) -> CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_qualname == where:
                return constant
            if where.startswith(f"{constant.co_qualname}."):
                return _code_of(constant, where)
    return None


def _our_modules() -> list[ModuleType]:
    return [
        module for name, module in sys.modules.items() if name.partition(".")[0] in OUR_PACKAGES
    ]


def _clear_caches() -> None:
    for module in _our_modules():
        for value in vars(module).values():
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()
