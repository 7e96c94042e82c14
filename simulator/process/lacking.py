"""Variables of the environment that are not set, and that an error is about."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simulator.process.environ import environment


def unset(error: BaseException, text: str) -> tuple[str, ...]:
    """Those that the calling process has asked for in vain and that `text`, about an error of its own,
    names, or those that a settings model lacks; empty if it is about something else.
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
