"""The patch that makes up blocks and variables that nobody has given.

Prefect 3.8 and 3.9. A project reads secrets and variables that are on its own server, which a simulation
never asks. A test stands in `tests/project/test_placeholders.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.blocks.core import Block
from prefect.variables import Variable

from simulator.patches.replacing import replacing


@contextmanager
def installed(
    block_of: Callable[[type[Block], str], Block | None], variable_of: Callable[[str], Any]
) -> Iterator[None]:
    """Let a block that the server does not know be the one that `block_of(class, name)` makes, if it
    makes one, and a variable without a default what `variable_of(name)` gives.
    """
    read: Any = vars(Block)["_get_block_document"].__func__
    aread: Any = vars(Block)["_aget_block_document"].__func__
    get: Any = vars(Variable)["get"].__func__
    aget: Any = vars(Variable)["aget"].__func__

    def missing(cls: type[Block], name: str) -> tuple[Block | None, str]:
        if cls is Block:
            slug, _, name = name.partition("/")
            return block_of(Block.get_block_class_from_key(slug), name), name
        return block_of(cls, name), name

    def _get_block_document(cls: type[Block], name: str, client: Any) -> Any:
        try:
            return read(cls, name, client)
        except ValueError:
            made, own = missing(cls, name)
            if made is None:
                raise
            save(made, own)
            return read(cls, name, client)

    async def _aget_block_document(cls: type[Block], name: str, client: Any) -> Any:
        try:
            return await aread(cls, name, client)
        except ValueError:
            made, own = missing(cls, name)
            if made is None:
                raise
            saving: Any = made.save
            await saving(own, overwrite=True, _sync=False)
            return await aread(cls, name, client)

    def value(cls: Any, name: str, *default: Any, **options: Any) -> Any:
        got = get(cls, name, *default, **options)
        if inspect.isawaitable(got):
            return _filled(got, name, default, options)
        return filled(got, name, default, options)

    async def avalue(cls: Any, name: str, *default: Any, **options: Any) -> Any:
        return filled(await aget(cls, name, *default, **options), name, default, options)

    def filled(got: Any, name: str, default: Any, options: Any) -> Any:
        return variable_of(name) if got is None and not default and not options else got

    async def _filled(got: Any, *rest: Any) -> Any:
        return filled(await got, *rest)

    with replacing(
        [
            (Block, "_get_block_document", classmethod(_get_block_document)),
            (Block, "_aget_block_document", classmethod(_aget_block_document)),
            (Variable, "get", classmethod(value)),
            (Variable, "aget", classmethod(avalue)),
        ]
    ):
        yield


def save(block: Block, name: str) -> None:
    """Keep a block on the server, whether or not a loop is running."""
    saving: Any = block.save
    saving(name, overwrite=True, _sync=True)


def class_of(slug: str) -> type[Block] | None:
    """The class of the blocks of a type, if it has been imported."""
    try:
        return Block.get_block_class_from_key(slug)
    except KeyError:
        return None


def slug_of(kind: type[Block]) -> str:
    """What the type of a block is called."""
    return str(kind.get_block_type_slug())
