"""Secrets, blocks and variables of a project: given by its user, or made up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from simulator.stubs import TEXT, NoSample, sample

CREDENTIAL = re.compile(r"secret|token|passw|credential|private|(_|^)key(_|$)", re.IGNORECASE)
"""Names of environment variables whose values no flow gets to see here."""

_BLOCK = re.compile(r"\{\{\s*prefect\.blocks\.([\w-]+)\.([\w-]+)")
_VARIABLE = re.compile(r"\{\{\s*prefect\.variables\.([\w-]+)")


@dataclass
class Given:
    """`blocks` has the fields of blocks by "type/name", such as {"value": ...} of "secret/api-key";
    `variables` their values. `made_up` lists what was asked for and is in neither, in that order.
    """

    blocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    made_up: list[str] = field(default_factory=list)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within it, flows find every block whose class they have, and every variable."""
        from simulator.patches.prefect import placeholders

        with placeholders.installed(self.block, self.variable):
            yield

    def block(self, kind: Any, name: str) -> Any:
        """The block of a class and name. None if it is not given and none can be made up."""
        from simulator.patches.prefect import placeholders

        full = f"{placeholders.slug_of(kind)}/{name}"
        if full in self.blocks:
            return kind(**self.blocks[full])
        try:
            made = kind(value=TEXT) if full.startswith("secret/") else sample(kind)
        except NoSample:
            return None
        self._note(full)
        return made

    def variable(self, name: str) -> Any:
        """The value of a variable."""
        if name not in self.variables:
            self._note(f"variable/{name}")
        return self.variables.get(name, TEXT)

    def put_for(self, config: Mapping[str, Any]) -> None:
        """Put on the server what the templates of an entry of a prefect.yaml ask for, where it is not
        there. Called in a process of the simulation.
        """
        from prefect.variables import Variable

        from simulator.patches.prefect import placeholders

        text = json.dumps(config, default=str)
        for slug, name in dict.fromkeys(_BLOCK.findall(text)):
            kind = placeholders.class_of(slug)
            if kind is not None and (made := self.block(kind, name)) is not None:
                placeholders.save(made, name)
        for name in dict.fromkeys(_VARIABLE.findall(text)):
            Variable.set(name, self.variable(name), overwrite=True)

    def _note(self, name: str) -> None:
        if name not in self.made_up:
            self.made_up.append(name)


def hidden(environment: Mapping[str, str]) -> dict[str, str]:
    """What stands in for the values of an environment that look like credentials."""
    return {name: TEXT for name in environment if CREDENTIAL.search(name)}
