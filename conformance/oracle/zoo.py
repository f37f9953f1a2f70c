"""The zoo: values that a user passes by mistake, by the domain that a page states for an argument.

Each has what it would have to mean: an *excluded* value is none of the domain, so that accepting it is silence; one
that is *alike* can only mean a documented value (``True`` is 1, 1 is ``True``, ``(2,)`` is 2), or is one of which the
page says nothing (zero features), so that it may be refused, or be accepted and then be right.

A value that JSON has not is a table ``{"as": …}``, which the target makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.oracle.contract import CHOICE, COUNT, FLAG, LENGTH, NUMBER, POSITIVE, PROBABILITY, SIZE, Argument

NAN: Mapping[str, Any] = {"as": "nan"}
INFINITE: Mapping[str, Any] = {"as": "inf"}
LIST: Mapping[str, Any] = {"as": "list", "value": (2,)}
COMPLEX: Mapping[str, Any] = {"as": "complex", "value": (2.0, 1.0)}


@dataclass(frozen=True)
class Exhibit:
    """A value of the zoo; the module is configured for ``near``, the documented value that it may be taken for."""

    value: Any
    near: Any


def numpy(of: str, value: Any) -> Mapping[str, Any]:
    """A NumPy scalar."""
    return {"as": "numpy", "of": of, "value": value}


def tensor(value: Any) -> Mapping[str, Any]:
    """A tensor without dimensions."""
    return {"as": "tensor", "value": value}


_NO_NUMBER = (Exhibit("2", 2), Exhibit(None, 2), Exhibit(COMPLEX, 2))
_NO_WHOLE = (Exhibit(-1, 1), Exhibit(-3, 3), Exhibit(1.5, 1), Exhibit(NAN, 1), Exhibit(INFINITE, 1), *_NO_NUMBER)
_WHOLE = (Exhibit(True, 1), Exhibit(2.0, 2), Exhibit(numpy("int64", 2), 2), Exhibit(numpy("uint8", 2), 2),
          Exhibit(numpy("float32", 2.0), 2), Exhibit(tensor(2), 2), Exhibit((2,), 2), Exhibit(LIST, 2))  # fmt: skip
_UNTRUE = (0, 0.0, None, "", (), numpy("bool_", False), tensor(False))
_TRUE = (1, 1.0, 2, -1, 0.5, "False", (0,), NAN, numpy("bool_", True), tensor(True))

EXCLUDED: Mapping[str, tuple[Exhibit, ...]] = {
    COUNT: _NO_WHOLE,
    POSITIVE: (Exhibit(0, 1), Exhibit(False, 1), *_NO_WHOLE),
    SIZE: tuple(e for e in _NO_WHOLE if e.value not in (-1, -3)),  # "if > 0": otherwise it is as if it were zero
    PROBABILITY: (
        *(Exhibit(value, 1.0) for value in (1.5, 2, INFINITE)),
        *(Exhibit(value, 0.0) for value in (-0.5, -1, NAN)),
        *(Exhibit(value, 0.5) for value in ("0.5", None, COMPLEX)),
    ),
    NUMBER: tuple(Exhibit(value, 0.0) for value in ("0", "nan", None, COMPLEX)),
    LENGTH: tuple(Exhibit(value, 7) for value in (0, -1, 7.5, "7", NAN, INFINITE, COMPLEX)),
    CHOICE: tuple(Exhibit(value, None) for value in ("", "no_such_choice", None, 0, 1, True, 1.5, ("tanh",))),
    "device": tuple(Exhibit(value, None) for value in ("no_such_device", "cpu:no", -1, 1.5)),
}

ALIKE: Mapping[str, tuple[Exhibit, ...]] = {
    COUNT: (*_WHOLE, Exhibit(0, 0), Exhibit(False, 0)),
    POSITIVE: _WHOLE,
    SIZE: (*_WHOLE, Exhibit(False, 0), Exhibit(-1, -1), Exhibit(-3, -3)),
    PROBABILITY: (
        *(Exhibit(value, 1.0) for value in (1, True, numpy("float32", 1.0))),
        *(Exhibit(value, 0.0) for value in (0, False, -0.0, numpy("int64", 0), tensor(0.0))),
        *(Exhibit(value, 0.5) for value in (numpy("float32", 0.5), numpy("float64", 0.5), tensor(0.5), (0.5,))),
    ),
    NUMBER: (
        *(Exhibit(value, 1.0) for value in (1, True, tensor(1.0), (1.0,))),
        *(Exhibit(numpy(of, 1), 1.0) for of in ("float32", "int64")),
    ),
    LENGTH: tuple(Exhibit(value, 7) for value in (7.0, numpy("int64", 7), tensor(7), (7,))),
    # Python takes any value for true or false; a page that says "if True" does not say otherwise.
    FLAG: (*(Exhibit(value, False) for value in _UNTRUE), *(Exhibit(value, True) for value in _TRUE)),
    "dtype": (
        *(Exhibit(name, name) for name in ("float32", "float64")),
        *(Exhibit({"as": "dtype", "value": name}, name) for name in ("int64", "bool", "complex64")),
    ),
    "device": (Exhibit("meta", "meta"), Exhibit({"as": "device", "value": "meta"}, "meta")),
}


def excluded(argument: Argument) -> tuple[Exhibit, ...]:
    """The values that are none of what the page says the argument is."""
    return EXCLUDED.get(argument.stated, ())


def alike(argument: Argument) -> tuple[Exhibit, ...]:
    """The values that equal a documented one without being it."""
    return ALIKE.get(argument.stated, ())
