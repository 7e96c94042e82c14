"""Patches a library at the moment at which it is first imported, if ever.

What is patched, and why: `sys.meta_path`, with a finder for one module each. Not everybody has dbt, and
whoever has it need not call it: to import it in advance costs more than a second in every process.

The finder finds nothing by itself. It asks those behind it, and lets the loader that they name say when
the module is complete: so it is patched before whoever imports it can use it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from simulator.process import found_behind


@contextmanager
def once_imported(
    module: str, install: Callable[[], AbstractContextManager[object]]
) -> Iterator[None]:
    """Enter `install()` as soon as `module` has been imported, now or later; leave it at the end."""
    with ExitStack() as stack:

        def complete() -> None:
            stack.enter_context(install())

        if module in sys.modules:
            complete()
        else:
            finder = _Finder(module, complete)
            sys.meta_path.insert(0, finder)
            stack.callback(sys.meta_path.remove, finder)
        yield


class _Finder:
    """Notices the first import of one module."""

    def __init__(self, module: str, complete: Callable[[], None]) -> None:
        self._module = module
        self._complete = complete

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = found_behind(self, name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self._complete()

            loader.exec_module = exec_module
        return spec
