"""The mutants of a module: copies of its source with one change each.

The changes are those of mutmut (`mutmut.mutation.mutators`). Where they apply is decided here,
because mutmut itself leaves out constants, tables, properties, and decorated functions, which
decide as much as any function does.
"""

import codecs
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_assignment

# Nothing decides in these: they are for readers, type checkers, and the import system.
_LEFT_OUT = (cst.Import, cst.ImportFrom, cst.Annotation, cst.TypeAlias, cst.Decorator)
# Without its argument, or with None, each of these raises: a mutant that any test kills.
_TRIVIAL_CALLS = ("len", "isinstance", "Final")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`where` is a function, a method, a class, or a variable of the module. `removed` and `added`
    are the lines of the change. The three identify a mutant, even if the lines around it move.

    `in_body`: it changes only the body of a function, whose code can be exchanged.
    """

    where: str
    removed: str
    added: str
    in_body: bool
    source: str


def mutants_of(source: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its statements."""
    module = cst.parse_module(source)
    parts = [module.code_for_node(statement) for statement in module.body]
    head = "".join(module.code_for_node(line) for line in module.header)
    for index, statement in enumerate(module.body):
        before, after = head + "".join(parts[:index]), "".join(parts[index + 1 :])
        changes = _Changes()
        statement.visit(changes)
        for change in changes.found:
            mutated = statement.visit(_Replace(change.old, change.new))
            assert isinstance(mutated, cst.CSTNode)
            part = module.code_for_node(mutated)
            removed, added = _difference(parts[index], part)
            yield Mutant(change.where, removed, added, change.in_body, before + part + after)


@dataclass(frozen=True, slots=True)
class _Change:
    old: cst.CSTNode
    new: cst.CSTNode
    where: str
    in_body: bool


class _Changes(cst.CSTVisitor):
    """Collects the changes of one statement of the module."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Change] = []
        self._names: list[str] = []
        self._functions = 0
        self._bodies: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, _LEFT_OUT) or _is_docstring(node) or _guards(node):
            return False
        if not self._functions and (name := _name(node)):
            self._names.append(name)
        if isinstance(node, cst.FunctionDef):
            self._bodies.add(node.body)
        if node in self._bodies:
            self._functions += 1
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for new in operator(node):
                    if not _is_left_out(node, new, operator):
                        where = ".".join(self._names)
                        self.found.append(_Change(node, new, where, self._functions > 0))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if original_node in self._bodies:
            self._functions -= 1
        if not self._functions and _name(original_node):
            self._names.pop()


class _Replace(cst.CSTTransformer):
    """Replaces one node, which may be in the tree more than once (libcst shares some)."""

    def __init__(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        super().__init__()
        self._old, self._new = old, new
        self._done = False

    def on_visit(self, node: cst.CSTNode) -> bool:
        return not self._done and node is not self._old

    def on_leave(self, original_node: cst.CSTNode, updated_node: cst.CSTNode) -> cst.CSTNode:  # type: ignore[override]  # never removes a node
        if original_node is self._old and not self._done:
            self._done = True
            return self._new
        return updated_node


def _name(node: cst.CSTNode) -> str:
    match node:
        case cst.FunctionDef() | cst.ClassDef():
            return node.name.value
        case cst.AnnAssign(target=cst.Name(value=name)):
            return name
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]):
            return name
    return ""


def _is_docstring(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString)


def _is_prose(node: cst.CSTNode | None) -> bool:
    """A sentence for people. Its wording is no decision; raw strings are patterns."""
    match node:
        case cst.SimpleString():
            return " " in node.raw_value.strip() and "r" not in node.prefix
        case cst.ConcatenatedString():
            return _is_prose(node.left) or _is_prose(node.right)
        case cst.FormattedString():
            return any(
                isinstance(part, cst.FormattedStringText) and " " in part.value
                for part in node.parts
            )
    return False


def _is_left_out(node: cst.CSTNode, new: cst.CSTNode, operator: object) -> bool:
    if operator is operator_assignment:
        assert isinstance(node, cst.Assign | cst.AnnAssign)
        return _is_prose(node.value) or _is_typed(node)
    if operator is operator_arg_removal:
        assert isinstance(node, cst.Call)
        assert isinstance(new, cst.Call)
        if isinstance(node.func, cst.Name) and node.func.value in _TRIVIAL_CALLS:
            return True
        pairs = zip(node.args, (*new.args, None), strict=False)
        changed = next((old for old, kept in pairs if old is not kept), node.args[-1])
        return _is_prose(changed.value) or _guards(changed)
    return _is_prose(node) or _is_same_codec(node, new)


def _is_same_codec(node: cst.CSTNode, new: cst.CSTNode) -> bool:
    """The name of an encoding of characters, in another case."""
    match node, new:
        case cst.SimpleString(raw_value=old), cst.SimpleString(raw_value=name):
            try:
                return codecs.lookup(old).name == codecs.lookup(name).name
            except LookupError:
                return False
    return False


def _is_typed(node: cst.CSTNode) -> bool:
    """The change is to None or from None, which mypy refuses for a variable with a type."""
    match node:
        case cst.AnnAssign(annotation=cst.Annotation(annotation=cst.Name(value="Final"))):
            return False
        case cst.AnnAssign():
            return True
    return False


def _guards(node: cst.CSTNode) -> bool:
    """`strict=True` of `zip` never decides: it stops a bug."""
    match node:
        case cst.Arg(keyword=cst.Name(value="strict")):
            return True
    return False


def _difference(before: str, after: str) -> tuple[str, str]:
    """The lines removed and added, without their indentation."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    removed = [line[2:].strip() for line in lines if line.startswith("- ")]
    added = [line[2:].strip() for line in lines if line.startswith("+ ")]
    return "\n".join(removed), "\n".join(added)
