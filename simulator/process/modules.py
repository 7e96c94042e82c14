"""The modules of a process: those of the user's own project are imported anew for each.

In `sys.modules` a module of the project is represented by a `ModuleOfProcess`, which shows each
process the module that it has imported itself, and everybody else, the test above all, the one that
there was before. Import statements, `pickle`, `dataclasses` and the like look there and need to know
nothing. Modules outside the project, installed libraries and Python's own, are shared by all.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from typing import Any

from simulator.places import is_users_file
from simulator.process.own import Own
from simulator.process.rebinding import rebind

Modules = dict[str, types.ModuleType]

imported: Own[Modules] = Own(lambda _: {})
"""By name, the modules of the project that a process has imported."""


class ProjectModules:
    """The modules of the project in one simulation. `everybody` has those of no process."""

    def __init__(self) -> None:
        self.everybody: Modules = {}
        self.sources: dict[str, ModuleSpec] = {}
        self._finder = _Finder(self)
        self._changes: dict[str, list[Callable[[types.ModuleType], Callable[[], None]]]] = {}

    def represent(self) -> MetaPathFinder:
        """Let `sys.modules` show each process its own. Returns what finds those yet to come."""
        for name, module in list(sys.modules.items()):
            source = _source_of(name, module)
            if source is not None:
                self.everybody[name] = module
                self.sources[name] = source
                sys.modules[name] = ModuleOfProcess(name, self)
        return self._finder

    def withdraw(self) -> None:
        """Let `sys.modules` have again what it had, and what no process has imported since."""
        for name in self.sources:
            sys.modules.pop(name, None)
        sys.modules.update(self.everybody)

    def whenever_imported(
        self, name: str, change: Callable[[types.ModuleType], Callable[[], None]]
    ) -> Iterator[Callable[[], None]]:
        """Change a module in each process that imports it from now on, and that of no process at once,
        if it is there. Gives what undoes the latter; those of processes end with them.
        """
        self._changes.setdefault(name, []).append(change)
        if name in self.everybody:
            yield change(self.everybody[name])

    def module(self, name: str) -> types.ModuleType:
        """The module of that name that the calling code's process has, imported now if need be."""
        own = imported.current()
        table = self.everybody if own is None else own
        return table[name] if name in table else self._import(name, table)

    def loaded(self, name: str) -> types.ModuleType | None:
        """That module, if it has been imported."""
        own = imported.current()
        return (self.everybody if own is None else own).get(name)

    def known_before(self, name: str, attribute: str) -> Any:
        """What a module that the calling code's process has not imported shows of `_KNOWN_BEFORE`."""
        if attribute == "__name__":
            return name
        if attribute == "__dict__":
            return vars(self.everybody[name]) if name in self.everybody else {}
        source = self.sources[name]
        if attribute == "__loader__":
            return source.loader
        if attribute == "__file__" and source.origin is not None:
            return source.origin
        raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

    def home_of(self, flow: Any) -> tuple[str, str] | None:
        """The module in which a flow is, and its place there; None if it is in none of the project."""
        name = flow.fn.__module__
        module = self.everybody.get(name)
        if module is None:
            return None
        place = flow.fn.__qualname__
        there: Any = module
        for part in place.split("."):
            there = getattr(there, part, None)
        if there is flow:
            return name, place
        by_another = next((key for key, value in vars(module).items() if value is flow), None)
        if by_another is not None:
            return name, by_another
        # With other options than in its module: a process finds what is in the module.
        return (name, place) if getattr(there, "fn", None) is flow.fn else None

    def _source(self, name: str, table: Modules) -> ModuleSpec:
        """Where the calling process finds a module: each has its own `sys.path`, and what another one
        has found under this name may be another file.

        Raises ModuleNotFoundError for what only others find.
        """
        parent = table.get(name.rpartition(".")[0])
        path = None if parent is None else getattr(parent, "__path__", None)
        found = found_behind(self._finder, name, path)
        source = None if found is None else _own_source(found)
        if source is not None:
            return source
        if name in self.everybody:  # a test may have imported it in a way of its own
            return self.sources[name]
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def _import(self, name: str, table: Modules) -> types.ModuleType:
        parent, _, child = name.rpartition(".")
        if parent in self.sources:
            self.module(parent)
            if name in table:  # the parent has imported it
                return table[name]
        made = importlib.util.module_from_spec(_copied(self._source(name, table)))
        table[name] = made
        if parent in table:
            setattr(table[parent], child, made)
        try:
            execute(made)
        except BaseException:
            table.pop(name, None)
            raise
        for key, value in list(vars(made).items()):
            if type(value) is ModuleOfProcess:  # no detour to its own modules
                vars(made)[key] = table.get(value.__name__, value)
        if table is not self.everybody and name in self.everybody:
            rebind(self.everybody[name], made)
        for change in self._changes.get(name, ()):
            change(made)
        return made


def execute(module: types.ModuleType) -> None:
    """Run the code of a module, which is half made meanwhile."""
    spec: Any = module.__spec__
    if spec.loader is None or spec.origin is None:
        return  # a package of folders only
    spec._initializing = True  # noqa: SLF001  as the import system says it
    try:
        spec.loader.exec_module(module)
    finally:
        spec._initializing = False  # noqa: SLF001


class ModuleOfProcess(types.ModuleType):
    """What `sys.modules` has for a module of the project: to each process its own."""

    def __init__(self, name: str, modules: ProjectModules) -> None:
        types.ModuleType.__setattr__(self, "_stands_for", (name, modules))

    def __getattribute__(self, name: str) -> Any:
        own_name, modules = types.ModuleType.__getattribute__(self, "_stands_for")
        if name == "__class__":
            return ModuleOfProcess
        if name == "__reduce_ex__":  # as cloudpickle has modules, which goes by their exact class
            return lambda _: (importlib.import_module, (own_name,))
        if name in _MADE_BY_IMPORT and own_name not in sys.modules:
            # It is being made: its code must not run before `sys.modules` has it.
            raise AttributeError(name)
        if name in _KNOWN_BEFORE and modules.loaded(own_name) is None:
            return modules.known_before(own_name, name)
        try:
            return getattr(modules.module(own_name), name)
        except AttributeError:
            if name.startswith("__") or f"{own_name}.{name}" not in modules.sources:
                raise
            return modules.module(f"{own_name}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        own_name, modules = types.ModuleType.__getattribute__(self, "_stands_for")
        if name in _MADE_BY_IMPORT:  # the real one has it from its own spec
            return
        setattr(modules.module(own_name), name, value)

    def __delattr__(self, name: str) -> None:
        own_name, modules = types.ModuleType.__getattribute__(self, "_stands_for")
        delattr(modules.module(own_name), name)


_KNOWN_BEFORE = {"__name__", "__file__", "__loader__", "__dict__", "__warningregistry__"}
"""What those ask who look through all of `sys.modules`, as `inspect.stack()` (also for the loader of
a file that is gone), `unittest`'s `assertWarns` and our own patches do: they import nothing by it. An
import statement asks for `__spec__` first.
"""

_MADE_BY_IMPORT = {
    "__name__",
    "__loader__",
    "__package__",
    "__spec__",
    "__path__",
    "__file__",
    "__cached__",
}


class _Finder(MetaPathFinder):
    """Finds modules of the project that nobody has imported yet, and lets them be represented."""

    def __init__(self, modules: ProjectModules) -> None:
        self._modules = modules

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in self._modules.sources:
            found = found_behind(self, fullname, path, target)
            source = None if found is None else _own_source(found)
            if source is None:
                return found
            self._modules.sources[fullname] = source
        source = self._modules.sources[fullname]
        spec = ModuleSpec(
            fullname,
            _Representing(self._modules),
            origin=source.origin,
            is_package=source.submodule_search_locations is not None,
        )
        if source.submodule_search_locations is not None:
            spec.submodule_search_locations = list(source.submodule_search_locations)
        return spec


def found_behind(finder: Any, *asked: Any) -> ModuleSpec | None:
    """What the finders find that are asked after one of `sys.meta_path`: those before it ask it."""
    finders = list(sys.meta_path)
    others = finders[finders.index(finder) + 1 :] if finder in finders else finders
    found = (other.find_spec(*asked) for other in others)
    return next((spec for spec in found if spec is not None), None)


class _Representing(Loader):
    """Makes what represents a module in `sys.modules`, and imports that of the calling process."""

    def __init__(self, modules: ProjectModules) -> None:
        self._modules = modules

    def get_code(self, fullname: str) -> types.CodeType | None:
        """As `python -m` asks for it, which runs a module under another name."""
        origin = self._modules.sources[fullname].origin
        return None if origin is None else _Compiled(fullname, origin).get_code(fullname)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return ModuleOfProcess(spec.name, self._modules)

    def exec_module(self, module: types.ModuleType) -> None:
        name, modules = types.ModuleType.__getattribute__(module, "_stands_for")
        there = modules.loaded(name)
        if there is None:
            modules.module(name)
        else:  # a reload
            execute(there)


def _source_of(name: str, module: Any) -> ModuleSpec | None:
    """Where a module of the project comes from; None for every other."""
    spec = getattr(module, "__spec__", None)
    if name == "__main__" or not isinstance(spec, ModuleSpec) or spec.name != name:
        return None
    return _own_source(spec)


def _own_source(spec: ModuleSpec) -> ModuleSpec | None:
    folders = spec.submodule_search_locations
    if spec.origin is None:  # a package without a file, of one folder or more
        inside = folders is not None and all(is_users_file(f"{folder}/") for folder in folders)
        return spec if inside and list(folders or ()) else None
    ours = spec.origin.endswith(".py") and is_users_file(spec.origin)
    return spec if ours else None


def _copied(source: ModuleSpec) -> ModuleSpec:
    """As it was found, for a module of its own. A test's own asserts are not written anew."""
    if source.origin is None:
        spec = ModuleSpec(source.name, None, is_package=True)
    else:
        loader = _Compiled(source.name, source.origin)
        spec = ModuleSpec(source.name, loader, origin=source.origin)
        spec.has_location = True
    if source.submodule_search_locations is not None:
        spec.submodule_search_locations = list(source.submodule_search_locations)
    return spec


_codes: dict[str, tuple[tuple[int, int], types.CodeType]] = {}


class _Compiled(SourceFileLoader):
    """Reads and compiles a file once, for as long as it stays the same."""

    def get_code(self, fullname: str) -> types.CodeType | None:
        stats = self.path_stats(self.path)
        sign = (int(stats["mtime"] * 1e6), int(stats["size"]))
        if self.path not in _codes or _codes[self.path][0] != sign:
            code = super().get_code(fullname)
            if code is None:
                return None
            _codes[self.path] = sign, code
        return _codes[self.path][1]
