"""The house keeps its shape: imports run one way, modules stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "simulator").rglob("*.py"))

RECORDED = {"history", "measures", "report"}
"""They read what was recorded, and import nothing that runs."""

RUNNING = {"simulation", "server", "services", "worker", "warehouse", "clock", "runnable", "faults"}


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports(file: Path, *, at_import: bool = False) -> Iterator[tuple[str, str]]:
    """Each module that a file imports with each name it takes from it ("" for the module itself).

    Imports for type checkers alone do not count; with `at_import` only those that happen when the
    file is imported do.
    """
    pending: list[ast.AST] = [ast.parse(file.read_text())]
    while pending:
        node = pending.pop()
        if is_type_checking(node):
            continue
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


NAMES = {module_name(file) for file in MODULES}
OWN = {
    module_name(file): {
        name
        for module, taken in imports(file, at_import=True)
        for name in (module, f"{module}.{taken}")
        if name in NAMES - {"simulator"}
    }
    for file in MODULES
}


def test_no_module_imports_in_a_circle() -> None:
    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in OWN[name]:
                visit(other, (*path, name))
            done.add(name)

    done: set[str] = set()
    for name in OWN:
        visit(name, ())


@pytest.mark.parametrize("file", MODULES, ids=module_name)
class TestModule:
    def test_takes_no_private_name_of_a_sibling(self, file: Path) -> None:
        private = [
            (module, name)
            for module, name in imports(file)
            if module.split(".")[0] == "simulator" and name.startswith("_")
        ]
        assert not private

    def test_stays_small(self, file: Path) -> None:
        assert len(file.read_text().splitlines()) <= 440

    def test_says_what_it_is(self, file: Path) -> None:
        assert ast.get_docstring(ast.parse(file.read_text()))


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_what_reads_records_imports_nothing_that_runs(name: str) -> None:
    pending, reached = [f"simulator.{name}"], set()
    while pending:
        module = pending.pop()
        reached.add(module)
        pending += OWN.get(module, set()) - reached
    assert not reached & {f"simulator.{running}" for running in RUNNING}


def test_pipelines_know_nothing_of_the_simulator() -> None:
    files = sorted((ROOT / "pipelines").rglob("*.py"))
    assert files
    for file in files:
        assert not [name for name, _ in imports(file) if name.split(".")[0] == "simulator"], file
