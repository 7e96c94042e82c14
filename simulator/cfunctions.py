"""Python's own C functions: more of the same kind, and what they call; the methods of types in C.

`time.monotonic` is one object, wherever it was bound: as a default argument, in a `partial`, in a
dict. Who replaces the name reaches none of these; who replaces what the object calls reaches all.
time-machine does so with code in C of its own. Here it is done with what Python offers anyway: a
function in C keeps a pointer to its code beside what it is bound to, and `PyObject_CallObject`
called with a Python function in that place calls that function.

An extension calls the C library by an address that stands in its own data, where another can be written.

A type in C, such as that of `threading.Lock()`, finds its methods in a dictionary, which has others put
in: it does not matter when or by whom a lock was made.

CPython 3.11 to 3.13. An object that does not look as expected is not touched.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import re
import struct
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.machinery import BuiltinImporter
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any


class _Method(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("code", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Function(ctypes.Structure):
    """`PyCFunctionObject`: the method and what it is bound to, and by what it is called, if by that."""

    _fields_ = (
        ("head", ctypes.c_char * object.__basicsize__),
        ("pointers", ctypes.c_size_t * 2),
        ("others", ctypes.c_size_t * 2),
        ("vectorcall", ctypes.c_size_t),
    )


_api = ctypes.pythonapi
_new = _api.PyCFunction_NewEx
_new.restype = ctypes.py_object
_new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]

# By the flags of a method: what calls the thing that it is bound to with the arguments as they come.
_CALLS = {
    0x01: _api.PyObject_CallObject,  # METH_VARARGS
    0x03: _api.PyObject_Call,  # METH_VARARGS | METH_KEYWORDS
    0x04: _api.PyObject_CallObject,  # METH_NOARGS
    0x08: _api.PyObject_CallOneArg,  # METH_O
    0x82: _api.PyObject_Vectorcall,  # METH_FASTCALL | METH_KEYWORDS
}
_FASTCALL, _FASTCALL_WITH_KEYWORDS = 0x80, 0x82


class _Callee(types.ModuleType):
    """What a function is bound to while it calls something else.

    A module by its class, as what it is bound to otherwise: pickle and `repr` look at that.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function.__self__.__name__)
        self.call: Callable[..., Any] = copied(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


_callees: dict[int, tuple[_Callee, _Method]] = {}
"""One for each function, for good: a thread may be in the middle of a call at any time."""

_copies: list[_Method] = []


def copied(function: Any) -> Any:
    """A function that does what `function` does now, whatever becomes of that one."""
    method = _method(function)
    copy = _Method(method.name, method.code, method.flags, method.doc)
    _copies.append(copy)
    return _new(ctypes.addressof(copy), function.__self__, function.__module__)


def own(name: str) -> Any:
    """Python's own function of this name in `time`, in a copy, out of the reach of whoever fakes it."""
    spec = BuiltinImporter.find_spec("time")
    assert spec is not None
    pristine = module_from_spec(spec)  # freezegun puts other things in the place of its functions
    BuiltinImporter.exec_module(pristine)
    traveller = sys.modules.get("time_machine")
    if traveller is None or not traveller.traveller_stack:
        return copied(vars(pristine)[name])
    machine = sys.modules["_time_machine"]
    machine.unpatch()  # time-machine has changed what they do
    try:
        return copied(vars(pristine)[name])
    finally:
        machine.patch()


@contextmanager
def calling(replaced: list[tuple[Any, Callable[..., Any]]]) -> Iterator[None]:
    """Let each function in C, wherever it is bound, call what stands beside it.

    Raises TypeError for a function whose arguments come in a way that is not known here.
    """
    with ExitStack() as stack:
        for function, call in replaced:
            callee, method = _callee_of(function)
            stack.callback(setattr, callee, "call", callee.call)
            callee.call = call
            words = _Function.from_address(id(function))
            stack.callback(setattr, words, "vectorcall", words.vectorcall)
            stack.callback(_set, words.pointers, list(words.pointers))
            if _method(function).flags == _FASTCALL:
                # One that hands on the names of arguments; a method that takes none overlooks them.
                words.vectorcall = _Function.from_address(id(sorted)).vectorcall
            _set(words.pointers, [ctypes.addressof(method), id(callee)])
        yield


def _set(pointers: Any, values: list[int]) -> None:
    pointers[:] = values  # both in one go, or another thread might call one with the other's


@contextmanager
def overriding(overridden: list[tuple[type, dict[str, Any]]]) -> Iterator[None]:
    """Give types in C other methods and properties by these names, and put back their own at the end."""
    before = [(kind, {name: vars(kind)[name] for name in new}) for kind, new in overridden]
    try:
        for kind, methods in overridden:
            _give(kind, methods)
        yield
    finally:
        for kind, methods in before:
            _give(kind, methods)


def _give(kind: type, methods: dict[str, Any]) -> None:
    [known] = gc.get_referents(kind.__dict__)
    known.update(methods)
    _api.PyType_Modified(ctypes.py_object(kind))


def _callee_of(function: Any) -> tuple[_Callee, _Method]:
    if id(function) not in _callees:
        method = _method(function)
        flags = _FASTCALL_WITH_KEYWORDS if method.flags == _FASTCALL else method.flags
        if flags not in _CALLS or not isinstance(function.__self__, types.ModuleType):
            raise TypeError(f"{function!r} cannot be made to call something else")
        code = ctypes.cast(_CALLS[flags], ctypes.c_void_p).value
        calling = _Method(method.name, code, flags, method.doc)
        _callees[id(function)] = _Callee(function), calling
    return _callees[id(function)]


def _method(function: Any) -> _Method:
    if not isinstance(function, types.BuiltinFunctionType):
        raise TypeError(f"{function!r} is no function in C")
    address = _Function.from_address(id(function)).pointers[0]
    method = _Method.from_address(address)
    if method.name != function.__name__.encode():
        raise TypeError(f"{function!r} does not look as expected in memory")
    return method


# -- classes ---------------------------------------------------------------------------------------


class _Plain:
    pass


class _WithInit:
    """Its slot for preparing one calls `__init__`, as that of every class in Python does."""

    def __init__(self) -> None:
        pass


_WORDS = object.__getattribute__(type, "__basicsize__") // ctypes.sizeof(ctypes.c_size_t)


def _slots(kind: type) -> Any:
    return (ctypes.c_size_t * _WORDS).from_address(id(kind))


def _place_of_init() -> int:
    """Where among the words of a class what prepares a new one stands: where `object`'s is inherited."""
    (inherited,) = (
        place
        for place in range(_WORDS)
        if _slots(object)[place]
        and _slots(_Plain)[place] == _slots(object)[place] != _slots(_WithInit)[place]
    )
    return inherited


_PREPARE = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.py_object, ctypes.py_object)


@contextmanager
def preparing(kind: type, init: Callable[..., None]) -> Iterator[None]:
    """Let a class in C call `init(prepare, it, *args, **kwargs)` for each new one of it, and of those
    that are made of it; `prepare` is what it called before.
    """
    place = _place_of_init()
    own = _slots(kind)[place]
    prepared_by = _PREPARE(own)
    inheriting = [one for one in _made_of(kind) if _slots(one)[place] == own]

    def prepare(it: object, *args: Any, **kwargs: Any) -> None:
        prepared_by(it, args, kwargs)

    def instead(it: object, *args: Any, **kwargs: Any) -> None:
        init(prepare, it, *args, **kwargs)

    def lead(slot: int) -> None:
        for one in (kind, *inheriting):
            _slots(one)[place] = slot

    with overriding([(kind, {"__init__": instead})]):
        lead(_slots(_WithInit)[place])
        try:
            yield
        finally:
            lead(own)


def _made_of(kind: type) -> Iterator[type]:
    for one in type.__subclasses__(kind):
        yield one
        yield from _made_of(one)


# -- the C library ---------------------------------------------------------------------------------


@contextmanager
def instead_of_c(extension: types.ModuleType, name: str, call: Any) -> Iterator[bool]:
    """Let an extension call `call`, of a type that `ctypes.CFUNCTYPE` has made, where it calls the
    function of the C library of that name. Yields whether it does now: that is known on Linux alone.
    """
    function, address = _address(ctypes.CDLL(None)[name]), _address(call)
    places = _places_of(str(extension.__file__), function)
    _called.append(call)  # for good: a thread may be about to call it at any time
    reached = all(_write(place, address) for place in places)
    try:
        yield bool(places) and reached
    finally:
        for place in places:
            _write(place, function)


_called: list[Any] = []


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@cache
def _places_of(file: str, address: int) -> list[int]:
    """Where in the data of a library that has been loaded an address stands."""
    try:
        maps = Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    places, sought = [], struct.pack("N", address)
    for span, rights, *_, path in (line.split(maxsplit=5) for line in maps):
        if path == os.path.realpath(file) and rights.startswith("r") and "x" not in rights:
            start, end = (int(bound, 16) for bound in span.split("-"))
            data = ctypes.string_at(start, end - start)
            places += [start + found.start() for found in re.finditer(re.escape(sought), data)]
    return [place for place in places if place % len(sought) == 0]


def _write(place: int, address: int) -> bool:
    """Write where the linker may have forbidden it since. Whether that went well."""
    start = place // mmap.PAGESIZE * mmap.PAGESIZE
    rights = mmap.PROT_READ | mmap.PROT_WRITE
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(start), mmap.PAGESIZE, rights) != 0:
        return False
    ctypes.c_size_t.from_address(place).value = address
    return True
