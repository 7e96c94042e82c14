"""What a file makes when it is imported that another import would make otherwise: read from its text.

`date.today()` as a default or a constant is the day of the import. So it is if it stands in a function
that the file calls there, or in the fields of a class that it makes an object of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OF_ITS_INSTANT = {
    "getpid", "monotonic", "now", "perf_counter", "random", "randint", "today", "time", "time_ns",
    "utcnow", "uuid1", "uuid4", "uuid7", "choice", "strftime", "token_hex", "urandom",
}  # fmt: skip
"""Functions whose value is another one each time."""
OF_ITS_PLACE = {"expanduser", "getcwd", "getenv", "gethostname", "cwd", "home"}
"""Functions whose value depends on where they are called. Most processes are alike in that: no constant
is told for it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Made = tuple[str, int, str]
"""A name, its line, and the expression that it is made of."""


@cache
def functions(filename: str) -> list[Function]:
    """All functions of a file, methods and inner ones as well."""
    return [node for node in ast.walk(_tree(filename)) if isinstance(node, Function)]


def defaults(filename: str, first_line: int) -> Iterator[Made]:
    """The defaults of the function that begins on a line, with its decorators, that differ."""
    for function in functions(filename):
        lines = {function.lineno, *(one.lineno for one in function.decorator_list)}
        if first_line not in lines:
            continue
        given = function.args
        named = [*given.posonlyargs, *given.args]
        pairs = list(zip(named[len(named) - len(given.defaults) :], given.defaults, strict=True))
        pairs += [
            (one, default)
            for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
            if default is not None
        ]
        for parameter, default in pairs:
            of_its_place = any(map(_asks_for_its_place, _evaluated(default)))
            if of_its_place or _differs(default, filename, set()):
                yield parameter.arg, default.lineno, ast.unparse(default)


@cache
def constants(filename: str) -> dict[str, Made]:
    """The names at the top level of a file that are given a value that differs."""
    return {
        name: (name, value.lineno, ast.unparse(value))
        for name, value in _top_level(filename).items()
        if isinstance(value, ast.expr) and _differs(value, filename, {name})
    }


def _differs(node: ast.AST, filename: str, seen: set[str]) -> bool:
    return any(
        _asks(one) or _leads_to_one_that_differs(one, filename, seen) for one in _evaluated(node)
    )


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """A node, and what is evaluated with it: not the body of a lambda, unless it makes a field."""
    yield node
    match node:
        case ast.keyword(arg="default_factory" | "factory", value=ast.Lambda(body=body)):
            yield from _evaluated(body)
        case ast.Lambda(args=given):
            yield from _evaluated(given)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _evaluated(child)


def _asks(node: ast.AST) -> bool:
    """Whether it asks for the time, or for what is drawn anew. `time(8, 30)` does not."""
    match node:
        case ast.Call(func=ast.Name(id="time") | ast.Attribute(attr="time"), args=[_, *_]):
            return False
        case ast.Call(func=asked) | ast.keyword(arg="default_factory" | "factory", value=asked):
            return _last_name(asked) in OF_ITS_INSTANT
    return False


def _asks_for_its_place(node: ast.AST) -> bool:
    """Whether it asks for the environment, the machine or a folder."""
    match node:
        case ast.Call(func=ast.Attribute(value=asked, attr="get")) | ast.Subscript(value=asked):
            return _last_name(asked) == "environ"
        case ast.Call(func=asked):
            return _last_name(asked) in OF_ITS_PLACE
    return False


def _leads_to_one_that_differs(node: ast.AST, filename: str, seen: set[str]) -> bool:
    """Whether it is the name of another constant that does, or calls a function or class of the file."""
    call = isinstance(node, ast.Call)
    name = node.func if isinstance(node, ast.Call) else node
    if not isinstance(name, ast.Name) or name.id in seen:
        return False
    found = _top_level(filename).get(name.id)
    if found is None or call == isinstance(found, ast.expr):
        return False
    return any(_differs(one, filename, seen | {name.id}) for one in _run(found))


def _run(node: ast.AST) -> list[ast.AST]:
    """What is run of it: of a class, what makes an object of it."""
    if isinstance(node, ast.ClassDef):
        fields = [one.value for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign)]
        makers = [one for one in node.body if getattr(one, "name", "") in _MAKERS]
        return [*(one for one in fields if one is not None), *makers]
    return list(node.body) if isinstance(node, Function) else [node]


_MAKERS = ("__init__", "__new__", "__post_init__", "__attrs_post_init__", "model_post_init")


def _last_name(node: ast.AST) -> str | None:
    return getattr(node, "id", None) or getattr(node, "attr", None)


@cache
def _top_level(filename: str) -> dict[str, ast.expr | Function | ast.ClassDef]:
    """What stands behind the names at the top level of a file, if that is written there."""
    found: dict[str, ast.expr | Function | ast.ClassDef] = {}
    for node in _tree(filename).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found[node.name] = node
            case ast.Assign(value=value, targets=targets):
                found |= {one.id: value for one in targets if isinstance(one, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


@cache
def _tree(filename: str) -> ast.Module:
    try:
        return ast.parse(Path(filename).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])
