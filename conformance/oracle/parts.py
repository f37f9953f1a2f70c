"""The parts of a contract: arguments, sizes, layouts, ports, parameters, and what else a page states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
FLOATING = ("float32", "float64", "float16", "bfloat16")

# What a page says that an argument is: "the number of …", a number that has to be there ("the last layer"), "if > 0, …
# of corresponding size", a probability, one of its values, a flag; "values for padded elements", "to have length …".
COUNT, POSITIVE, SIZE, PROBABILITY, CHOICE, FLAG = "count", "positive", "size", "probability", "choice", "flag"
NUMBER, LENGTH = "number", "length"


@dataclass(frozen=True)
class TensorOf:
    """A constructor argument that is a tensor: its shape in the symbols of the call, ``(C)``."""

    shape: str


@dataclass(frozen=True)
class Lists:
    """Tuples of these integers, the simplest first, of any length in a range: the lengths of a batch of sequences."""

    of: Sequence[int]
    min_size: int
    max_size: int


Domain = Sequence[Any] | Lists


@dataclass(frozen=True)
class Argument:
    """A documented argument: the values tried (simplest first), its default, and what the text asks of it.

    ``releases`` is the PEP 440 range whose pages have it, ``by_position`` the range whose pages show its place among
    the positional arguments (None: by keyword only). ``domain`` is what the page says that it is (:data:`COUNT`, …).
    """

    name: str
    values: Domain = ()
    default: Any = REQUIRED
    where: str = "True"
    releases: str = ""
    by_position: str | None = ""
    domain: str = ""

    @property
    def stated(self) -> str:
        """Its domain; a flag, a ``dtype`` and a ``device`` are known by themselves."""
        if self.domain or self.name in ("dtype", "device"):
            return self.domain or self.name
        flag = bool(self.values) and not isinstance(self.values, Lists) and all(type(v) is bool for v in self.values)
        return FLAG if flag else ""


@dataclass(frozen=True)
class Size:
    """A symbol of the input shapes: the sizes tried (simplest first) and what the text asks of it."""

    values: Domain
    where: str = "True"


@dataclass(frozen=True)
class Layout:
    """One documented way to call the module. ``packed`` names the input that is a packed sequence in it.

    ``words`` are those by which the page tells its shapes from the others', where it does ("for unbatched input").
    ``method`` names the method or property of the first input that is called instead (``{cast}``: as a symbol says);
    ``releases`` is the PEP 440 range whose pages document this way.
    """

    name: str
    when: str = "True"
    packed: str | None = None
    binds: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    method: str = ""
    releases: str = ""


@dataclass(frozen=True)
class Port:
    """An input or an output: its documented shape in each layout (several names share one, space separated).

    With ``each`` it is a list of tensors, one for every value of that symbol, which the shape calls ``L``; ``packed``
    says that an output is a packed sequence, whose data have the shape; ``forms`` are those in which an input comes.
    """

    name: str
    shapes: Mapping[str, str]
    when: str = "True"
    optional: bool = False
    dtype: str | Mapping[str, str] = "floating"
    below: str = "1"
    aliases: tuple[str, ...] = ()
    each: str | None = None
    packed: bool = False
    forms: tuple[str, ...] = ("tensor",)

    @cached_property
    def by_layout(self) -> Mapping[str, str]:
        """The shape text of every layout that this port has a part in."""
        return {layout: text for names, text in self.shapes.items() for layout in names.split()}

    def kind(self, layout: str) -> str:
        """``floating`` (the dtype of the case), ``index`` (int64 in ``range(below)``), ``mask`` (bool), ``lengths``
        (int64 on the CPU: the symbol of that name), ``permutation`` (int64), ``given`` (what the option ``dtype``
        says) or ``plain`` (no tensor)."""
        return self.dtype if isinstance(self.dtype, str) else self.dtype.get(layout, "floating")


@dataclass(frozen=True)
class Parameter:
    """A documented parameter or buffer; ``{k}`` in the name runs over ``each`` (a formula for how many)."""

    name: str
    shape: str
    when: str = "True"
    each: str | None = None
    buffer: bool = False
    dtype: str = "floating"
    releases: str = ""

    @property
    def label(self) -> str:
        """The name without its index, as claims are called: ``weight_ih_l{k}`` is ``weight_ih``."""
        return self.name.replace("_l{k}", "").replace("{k}", "")


@dataclass(frozen=True)
class Formula:
    """A formula that the page writes out: what it gives for ``symbol`` is the *where* clause ``clause``.

    ``given`` are the configurations of which it speaks: the page's ``stride`` is a number, ours may be left out.
    """

    clause: str
    symbol: str = ""
    given: str = "True"
    name: str = ""


# For ``Contract.documents``: no release's page states it.
NEVER = "<0"


@dataclass(frozen=True)
class Example:
    """A worked example of a page: the calls it makes and the shapes that it states or that its rules imply."""

    text: str
    arguments: Mapping[str, Any]
    layout: str
    sizes: Mapping[str, Any]
    given: tuple[str, ...] = ()
    outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    source: str = "Examples"


@dataclass(frozen=True)
class Statement:
    """A sentence of a second source (an article), judged apart from the documentation.

    ``about`` names what it speaks of: a port, ``argument NAME`` or ``example N``; ``says`` is a shape or a default.
    """

    line: str
    text: str
    about: str
    says: str
    layout: str = "constructor"
