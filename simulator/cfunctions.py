"""Python's own C functions: more of the same kind, and what they call; the methods of types in C.

`time.monotonic` is one object, wherever it was bound: as a default argument, in a `partial`, in a
dict. Who replaces the name reaches none of these; who replaces what the object calls reaches all.
time-machine does so with code in C of its own. Here it is done with what Python offers anyway: a
function in C keeps a pointer to its code beside what it is bound to, and `PyObject_CallObject`
called with a Python function in that place calls that function.

A type in C, such as that of `threading.Lock()`, finds its methods in a dictionary, which has others put
in: it does not matter when or by whom a lock was made.

CPython 3.11 to 3.13. An object that does not look as expected is not touched.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.machinery import BuiltinImporter
from importlib.util import module_from_spec
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
def overriding(overridden: list[tuple[type, dict[str, Callable[..., Any]]]]) -> Iterator[None]:
    """Give types in C other methods by these names, and put back their own at the end."""
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


class _WithNew:
    """Its slot for making one calls `__new__`, as that of every class in Python does."""

    def __new__(cls) -> _WithNew:
        return object.__new__(cls)


class _WithInit:
    """Its slot for preparing one calls `__init__`."""

    def __init__(self) -> None:
        pass


_WORDS = object.__getattribute__(type, "__basicsize__") // ctypes.sizeof(ctypes.c_size_t)


def _slots(kind: type) -> Any:
    return (ctypes.c_size_t * _WORDS).from_address(id(kind))


def _place_of_slot(example: type) -> int:
    """Where among the words of a class the slot stands in which the example differs from `object`."""
    (place,) = (
        place
        for place in range(_WORDS)
        if _slots(object)[place]
        and _slots(_Plain)[place] == _slots(object)[place] != _slots(example)[place]
    )
    return place


_MAKE = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.py_object)
_PREPARE = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.py_object, ctypes.py_object)


@contextmanager
def making(kind: type, new: Callable[..., Any]) -> Iterator[None]:
    """Let a class in C call `new(make, kind, *args, **kwargs)`; `make` is what it called before."""
    made_by = _MAKE(_slots(kind)[_place_of_slot(_WithNew)])

    def make(kind: type, *args: Any, **kwargs: Any) -> Any:
        return made_by(kind, args, kwargs)

    def instead(kind: type, *args: Any, **kwargs: Any) -> Any:
        return new(make, kind, *args, **kwargs)

    with _slot_led([kind], _WithNew, "__new__", staticmethod(instead)):
        yield


@contextmanager
def preparing(kind: type, init: Callable[..., None]) -> Iterator[None]:
    """Let a class in C call `init(prepare, it, *args, **kwargs)` for each new one of it, and those made
    of it that do not say otherwise; `prepare` is what it called before.
    """
    place = _place_of_slot(_WithInit)
    own = _slots(kind)[place]
    prepared_by = _PREPARE(own)

    def prepare(it: object, *args: Any, **kwargs: Any) -> None:
        prepared_by(it, args, kwargs)

    def instead(it: object, *args: Any, **kwargs: Any) -> None:
        init(prepare, it, *args, **kwargs)

    inheriting = [one for one in _made_of(kind) if _slots(one)[place] == own]
    with _slot_led([kind, *inheriting], _WithInit, "__init__", instead):
        yield


def _made_of(kind: type) -> Iterator[type]:
    for one in type.__subclasses__(kind):
        yield one
        yield from _made_of(one)


@contextmanager
def _slot_led(kinds: list[type], example: type, name: str, method: Any) -> Iterator[None]:
    """Let a slot of classes in C do what that of a class in Python does: call a method of this name,
    which is given to the first of them.
    """
    place = _place_of_slot(example)
    names: dict[str, Any] = gc.get_referents(kinds[0].__dict__)[0]
    own, named = _slots(kinds[0])[place], names.get(name)
    names[name] = method
    _lead(kinds, place, _slots(example)[place])
    try:
        yield
    finally:
        if named is None:
            del names[name]
        else:
            names[name] = named
        _lead(kinds, place, own)


def _lead(kinds: list[type], place: int, slot: int) -> None:
    for kind in kinds:
        _slots(kind)[place] = slot
    _api.PyType_Modified(ctypes.py_object(kinds[0]))
