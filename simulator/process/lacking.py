"""What this machine lacks, and an error is about: variables that are not set, programs, real values."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.process.environ import environment


def missing_here(error: BaseException, text: str, made_up: str) -> dict[str, list[str]]:
    """What of this machine's an error of the calling process is about: environment variables that are
    "unset", "programs" that are not installed, values that are "made up", which `made_up` stands for.
    `text` is the error in words. Empty if it is about something else.
    """
    found = {
        "unset": unset(error, text),
        "programs": _programs(error),
        "made up": _made_up(error, made_up),
    }
    return {kind: list(names) for kind, names in found.items() if names}


def unset(error: BaseException, text: str) -> tuple[str, ...]:
    """The variables that the calling process has asked for in vain and that `text`, about an error of
    its own, names, or those that a settings model lacks; empty if it is about something else.
    """
    own = environment.current()
    missed = () if own is None else map(os.fsdecode, sorted(own.missed))
    named = next((one for one in missed if re.search(rf"\b{re.escape(one)}\b", text)), None)
    return (named,) if named else lacked(error)


def lacked(error: BaseException) -> tuple[str, ...]:
    """Those for want of which an error was raised, by `os.environ[...]` or by a settings model of
    pydantic-settings; empty if it is another error.
    """
    if isinstance(error, KeyError) and _raised_in(error, "os.py", "<frozen os>"):
        return (str(error.args[0]),)
    model = _settings_model(error)
    return () if model is None else tuple(dict.fromkeys(_of_fields(error, model)))


def _programs(error: BaseException) -> tuple[str, ...]:
    """The program that could not be started, or that a shell has not found."""
    if isinstance(error, subprocess.CalledProcessError) and error.returncode == _NOT_FOUND:
        words = error.cmd.split() if isinstance(error.cmd, str) else list(error.cmd)
        return tuple(map(str, words[:1]))
    if isinstance(error, FileNotFoundError) and _raised_in(error, "subprocess.py"):
        name = str(error.filename)
        return () if Path(name).is_dir() or "/" in name else (name,)
    return ()


_NOT_FOUND = 127
"""The exit code of a shell that has not found a command (POSIX, Shell Command Language, 2.8.2)."""


def _made_up(error: BaseException, value: str) -> tuple[str, ...]:
    """The value that an error is about, if it is the one that is made up."""
    read = getattr(error, "doc", None)  # of a JSONDecodeError
    return (value,) if read == value or repr(value) in str(error) else ()


def _raised_in(error: BaseException, *files: str) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).name in files


def _settings_model(error: BaseException) -> Any:
    """The settings model that was to be made when a field was found to be missing, if one was."""
    settings = sys.modules.get("pydantic_settings")
    step = error.__traceback__
    while settings is not None and hasattr(error, "title") and step is not None:
        code = step.tb_frame.f_code
        if code.co_name == "__init__" and code.co_argcount:
            made = step.tb_frame.f_locals.get(code.co_varnames[0])
            if isinstance(made, settings.BaseSettings) and _is_of(error, type(made)):
                return type(made)
        step = step.tb_next
    return None


def _is_of(error: Any, model: Any) -> bool:
    """Whether a validation error is one of this model, and not of one that its `__init__` uses."""
    return bool(error.title == (model.model_config.get("title") or model.__name__))


def _of_fields(error: Any, model: Any) -> Iterator[str]:
    """The variables that the missing fields of a settings model are read from.

    Source: "Environment variable names" in the documentation of pydantic-settings. An alias takes the
    place of the prefix and the name; those of a field that is a model stand behind a delimiter.
    """
    prefix = model.model_config.get("env_prefix") or ""
    delimiter = model.model_config.get("env_nested_delimiter")
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        if one["type"] != "missing" or not one["loc"]:
            continue
        top, *inner = map(str, one["loc"])
        is_alias = top not in model.model_fields
        parts = [top if is_alias else prefix + top, *(inner if delimiter else ())]
        yield (delimiter or "").join(parts).upper()
