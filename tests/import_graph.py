"""Which module of the project imports which: read from the source, nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PREFIX = "content_arena."
_FOLDERS = ("components", "pipelines")


@dataclass(frozen=True, order=True)
class Import:
    """One import of one module.

    Attributes:
        importer: Module that holds the statement: ``components.shared.stage`` for ``content_arena.components...``.
        imported: A module of the project, named the same way, or the full name of one of another package.
        line: Where the statement is.
        ours: The imported module is part of the project.
        typing_only: The statement stands under ``if TYPE_CHECKING``: it is never run.
    """

    importer: str
    imported: str
    line: int
    ours: bool
    typing_only: bool

    def __str__(self) -> str:
        """For a test's message: where it is and what it imports."""
        return f"{self.importer} line {self.line} imports {self.imported}"


@cache
def modules() -> dict[str, Path]:
    """Every module of components and pipelines by its name without the prefix; a package by its own name."""
    found = {}
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import statement of the project, those inside functions and under TYPE_CHECKING included."""
    return tuple(found for name, path in modules().items() for found in _of_module(name, path))


def graph(selected: Iterable[Import]) -> dict[str, set[str]]:
    """Imports between modules of the project as a graph: module to the modules that it imports.

    Raises:
        ValueError: A module that is not there is imported.
    """
    edges: dict[str, set[str]] = {name: set() for name in modules()}
    for found in selected:
        if found.ours and found.imported not in edges:
            raise ValueError(f"{found}, which is not there")
        if found.ours and found.imported != found.importer:
            edges[found.importer].add(found.imported)
    return edges


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one module in which each reaches every other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = lowest[module] = len(index)
        stack.append(module)
        for imported in sorted(edges[module]):
            if imported not in index:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in stack:
                lowest[module] = min(lowest[module], index[imported])
        if lowest[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in edges:
        if module not in index:
            visit(module)
    return found


def within(module: str, package: str) -> bool:
    """Whether a module is a package or lies in it."""
    return module == package or module.startswith(package + ".")


def _of_module(name: str, path: Path) -> Iterator[Import]:
    is_package = path.name == "__init__.py"
    for node, typing_only in _statements(ast.parse(path.read_text(encoding="utf-8")), typing_only=False):
        for target in _targets(node, name, is_package):
            ours = target.startswith(PREFIX)
            yield Import(name, target.removeprefix(PREFIX), node.lineno, ours, typing_only)


def _statements(node: ast.AST, *, typing_only: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, typing_only
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        for child in node.body:
            yield from _statements(child, typing_only=True)
        for child in node.orelse:
            yield from _statements(child, typing_only=typing_only)
        return
    for child in ast.iter_child_nodes(node):
        yield from _statements(child, typing_only=typing_only)


def _targets(node: ast.Import | ast.ImportFrom, importer: str, is_package: bool) -> list[str]:
    """Full names of the modules a statement imports; ``from package import module`` names the module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        parts = f"{PREFIX}{importer}".split(".")
        parts = parts[: len(parts) - node.level + is_package]
        base = ".".join([*parts, *([base] if base else [])])
    submodules = [f"{base}.{alias.name}" for alias in node.names]
    if not base.startswith(PREFIX):
        # Another package: `from kfp import kubernetes` may name a module or an object, so both names are returned.
        return [base, *submodules]
    return [name if name.removeprefix(PREFIX) in modules() else base for name in submodules]
