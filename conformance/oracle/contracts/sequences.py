"""``torch.nn.utils.rnn``: packing, padding and unpacking of sequences, and ``PackedSequence``."""

from __future__ import annotations

from conformance.oracle.contract import (
    CHOICE,
    FLOATING,
    LENGTH,
    NEVER,
    NUMBER,
    Argument,
    Contract,
    Example,
    Layout,
    Lists,
    Port,
    Size,
)
from conformance.oracle.equations import sequences as equations
from conformance.oracle.functions import Exclusion, Inverse

_PACKAGE = "torch.nn.utils.rnn"
# "the labels" may be packed too, and data are "of arbitrary dtype".
_DTYPES = (*FLOATING, "int64", "bool")
# Lengths from 1: no page says what a sequence without elements is.
_SIZES = {"drawn": Size(Lists(range(1, 7), 1, 6)), "S": Size(((), (1,), (2,), (4,), (2, 3)))}
# "This function accepts any input that has at least two dimensions."
_ANY = {**_SIZES, "S": Size(((), (1,), (2,), (0,), (2, 3))), "surplus": Size((1, 2, 4))}
_B = {"B": "len(lengths)", "T": "max(lengths)"}
_DRAWN = {"lengths": "drawn", **_B}
_SORTED = {"lengths": "(*sorted(drawn)[::-1],) if enforce_sorted else drawn"}
_UNSORTED = {"lengths": "(min(drawn), *drawn, max(drawn) + 1)", "B": "len(drawn) + 2", "T": "max(drawn) + 1"}

_BATCH_FIRST = Argument("batch_first", (False, True), default=False)
_ENFORCE_SORTED = Argument("enforce_sorted", (True, False), default=True)
_PADDING_VALUE = Argument("padding_value", (0.0, 1.0, -2.0, float("-inf")), default=0.0, domain=NUMBER,
                          where="dtype not in ('int64', 'bool') or padding_value in (0.0, 1.0)")  # fmt: skip
_BOTH = "time_first batch_first"
_PADDED = {"time_first": "(T, B, *S)", "batch_first": "(B, T, *S)"}
_EACH = "(L, *S)"
_TRUNCATED = {"truncated_time_first": "(T, B, *S)", "truncated_batch_first": "(B, T, *S)"}
_PACKING = f"{_BOTH} truncated_time_first truncated_batch_first"


def _layouts(packed: str | None = None, **binds: str) -> tuple[Layout, Layout]:
    return (
        Layout("time_first", when="not batch_first", packed=packed, binds=binds),
        Layout("batch_first", when="batch_first", packed=packed, binds=binds),
    )


def _not_sorted(source: str, layouts: tuple[str, ...] = ()) -> Exclusion:
    return Exclusion("unsorted", "lengths", "with enforce_sorted=True, sequences that are not sorted by length in a "
                     "decreasing order are refused", source, _UNSORTED, {"enforce_sorted": "True"},
                     layouts=layouts)  # fmt: skip


def _too_long(source: str, *layouts: str) -> Exclusion:
    return Exclusion("too_long", "lengths", "a length beyond the padded length is refused", source,
                     {"T": "max(lengths) - 1"}, layouts=layouts)  # fmt: skip


_PACK_LAYOUTS = ("time_first", "batch_first")

pack_padded_sequence = Contract(
    module=f"{_PACKAGE}.pack_padded_sequence",
    function=True,
    arguments=(),
    options=(_BATCH_FIRST, _ENFORCE_SORTED),
    layouts=(
        *_layouts(surplus="0"),
        Layout("truncated_time_first", when="not batch_first", releases=">=2.9"),
        Layout("truncated_batch_first", when="batch_first", releases=">=2.9"),
    ),
    inputs=(
        Port("input", {**_PADDED, **_TRUNCATED}),
        Port("lengths", {_PACKING: "(B)"}, dtype="lengths", forms=("tensor", "list")),
    ),
    outputs=(Port("output", {_PACKING: "(sum(lengths), *S)"}, packed=True),),
    call="input, lengths",
    returns="output",
    sizes=_ANY,
    where={**_SORTED, "B": "len(lengths)", "T": "max(lengths) + surplus"},
    dtypes=_DTYPES,
    equations=equations.pack_padded_sequence,
    excludes=(
        _not_sorted("Args: enforce_sorted", _PACK_LAYOUTS),
        _too_long("input is T x B x *, where T is the length of the longest sequence", *_PACK_LAYOUTS),
        Exclusion("longer_than_lengths", "input", "an input longer than the longest sequence is refused",
                  "input is T x B x *, where T is the length of the longest sequence", {"T": "max(lengths) + 1"},
                  releases=">=2.0,<2.6", layouts=_PACK_LAYOUTS),
        Exclusion("one_dimensional", "input", "an input of fewer than two dimensions is refused",
                  "Note: any input that has at least two dimensions", shapes={"input": "(T)"}, layouts=_PACK_LAYOUTS),
        Exclusion("not_integers", "lengths", "a list of other numbers than integers is refused",
                  "Args: lengths (Tensor or list(int))", dtypes={"lengths": "float32"}, forms={"lengths": "list"},
                  layouts=_PACK_LAYOUTS),
        Exclusion("not_on_cpu", "lengths", "a tensor of lengths that is not on the CPU is refused",
                  "Args: lengths must be on the CPU if provided as a tensor", forms={"lengths": "meta"},
                  layouts=_PACK_LAYOUTS),
    ),
    inverse=Inverse(f"{_PACKAGE}.pad_packed_sequence", "output, batch_first=batch_first",
                    {"padded": "input", "lengths": "lengths"},
                    "pad_packed_sequence recovers the tensor that was packed, and its lengths",
                    "pad_packed_sequence: It is an inverse operation to pack_padded_sequence"),
    examples=(
        Example("pack_padded_sequence(seq, [2, 1, 3], batch_first=True, enforce_sorted=False)",
                {"batch_first": True, "enforce_sorted": False}, "batch_first", {"drawn": (2, 1, 3), "S": ()}, (),
                {"output": (6,)}, "pad_packed_sequence: Example"),
    ),
)  # fmt: skip

pad_packed_sequence = Contract(
    module=f"{_PACKAGE}.pad_packed_sequence",
    function=True,
    arguments=(),
    # As long as the longest sequence at least, whatever the lengths.
    options=(_BATCH_FIRST, _PADDING_VALUE, Argument("total_length", (None, 6, 7, 11), default=None, domain=LENGTH)),
    layouts=_layouts(packed="sequence"),
    inputs=(Port("sequence", {_BOTH: "(T, B, *S)"}),),
    outputs=(
        Port("output", {"time_first": "(T_out, B, *S)", "batch_first": "(B, T_out, *S)"}),
        Port("lengths", {_BOTH: "(B)"}, dtype="lengths"),
    ),
    call="sequence",
    returns="output, lengths",
    sizes=_SIZES,
    where={**_DRAWN, "T_out": "T if total_length is None else total_length"},
    dtypes=_DTYPES,
    equations=equations.pad_packed_sequence,
    excludes=(
        Exclusion("less_than_longest", "total_length", "a total_length less than the longest sequence is a ValueError",
                  "Args: total_length", options={"total_length": "max(lengths) - 1"}, raises="ValueError"),
    ),
    inverse=Inverse(f"{_PACKAGE}.pack_padded_sequence", "output, lengths, batch_first=batch_first, "
                    "enforce_sorted=False", {"packed": "sequence"}, "pack_padded_sequence gives the packed sequence "
                    "back", "It is an inverse operation to pack_padded_sequence", when="total_length is None"),
    examples=(
        Example("pad_packed_sequence(packed, batch_first=True)", {"batch_first": True}, "batch_first",
                {"drawn": (2, 1, 3), "S": ()}, (), {"output": (3, 3), "lengths": (3,)}, "Example"),
    ),
)  # fmt: skip

pad_sequence = Contract(
    module=f"{_PACKAGE}.pad_sequence",
    function=True,
    arguments=(),
    options=(
        _BATCH_FIRST,
        _PADDING_VALUE,
        Argument("padding_side", ("right", "left"), default="right", releases=">=2.5", domain=CHOICE),
    ),
    layouts=_layouts(),
    inputs=(Port("sequences", {_BOTH: _EACH}, each="lengths"),),
    outputs=(Port("output", _PADDED),),
    call="sequences",
    returns="output",
    sizes=_SIZES,
    where=_DRAWN,
    dtypes=_DTYPES,
    refuses=False,
    equations=equations.pad_sequence,
    inverse=Inverse(f"{_PACKAGE}.unpad_sequence", "output, lengths, batch_first=batch_first",
                    {"unpadded": "sequences"}, "unpad_sequence gives the sequences back", "unpad_sequence: Example",
                    when="padding_side == 'right'"),
    examples=(
        Example("pad_sequence([torch.ones(25, 300), torch.ones(22, 300), torch.ones(15, 300)])", {}, "time_first",
                {"drawn": (25, 22, 15), "S": (300,)}, (), {"output": (25, 3, 300)}),
    ),
)  # fmt: skip

unpad_sequence = Contract(
    module=f"{_PACKAGE}.unpad_sequence",
    function=True,
    arguments=(),
    options=(_BATCH_FIRST,),
    layouts=_layouts(),
    inputs=(
        Port("padded_sequences", _PADDED),
        Port("lengths", {_BOTH: "(B)"}, dtype="lengths"),
    ),
    outputs=(Port("sequences", {_BOTH: _EACH}, each="lengths"),),
    call="padded_sequences, lengths",
    returns="[sequences]",
    sizes={**_SIZES, "surplus": Size((0, 1, 3))},
    where={"lengths": "drawn", "B": "len(lengths)", "T": "max(lengths) + surplus"},
    dtypes=_DTYPES,
    equations=equations.unpad_sequence,
    documents={"sizes": NEVER},
    excludes=(_too_long("Args: lengths, length of original (unpadded) sequences"),),
    examples=(
        Example("unpad_sequence(padded_sequences, lengths)", {}, "time_first",
                {"drawn": (25, 22, 15), "S": (300,), "surplus": 0}),
    ),
)  # fmt: skip

pack_sequence = Contract(
    module=f"{_PACKAGE}.pack_sequence",
    function=True,
    arguments=(),
    options=(_ENFORCE_SORTED,),
    layouts=(Layout("list"),),
    inputs=(Port("sequences", {"list": _EACH}, each="lengths"),),
    outputs=(Port("output", {"list": "(sum(lengths), *S)"}, packed=True),),
    call="sequences",
    returns="output",
    sizes=_SIZES,
    where={**_SORTED, **_B},
    dtypes=_DTYPES,
    equations=equations.pack_sequence,
    excludes=(_not_sorted("Args: enforce_sorted: if True, checks that the input contains sequences sorted by length"),),
    inverse=Inverse(f"{_PACKAGE}.unpack_sequence", "output", {"unpacked": "sequences"},
                    "unpack_sequence gives the sequences back", "unpack_sequence: Example"),
    examples=(
        Example("pack_sequence([torch.tensor([1, 2, 3]), torch.tensor([4, 5]), torch.tensor([6])])", {}, "list",
                {"drawn": (3, 2, 1), "S": ()}, (), {"output": (6,)}),
        Example("abc and x", {}, "list", {"drawn": (3, 1), "S": ()}, (), {"output": (4,)}, "PackedSequence: Note"),
    ),
)  # fmt: skip

unpack_sequence = Contract(
    module=f"{_PACKAGE}.unpack_sequence",
    function=True,
    arguments=(),
    layouts=(Layout("packed", packed="packed_sequences"),),
    inputs=(Port("packed_sequences", {"packed": "(T, B, *S)"}),),
    outputs=(Port("sequences", {"packed": _EACH}, each="lengths"),),
    call="packed_sequences",
    returns="[sequences]",
    sizes=_SIZES,
    where=_DRAWN,
    dtypes=_DTYPES,
    refuses=False,
    equations=equations.unpack_sequence,
    documents={"sizes": NEVER},
    examples=(
        Example("unpack_sequence(pack_sequence([a, b, c]))", {}, "packed", {"drawn": (3, 2, 1), "S": ()}),
    ),
)  # fmt: skip

invert_permutation = Contract(
    module=f"{_PACKAGE}.invert_permutation",
    function=True,
    releases=">=2.9",  # before, it had no page
    arguments=(),
    layouts=(Layout("indices"),),
    inputs=(Port("permutation", {"indices": "(n)"}, dtype="permutation"),),
    outputs=(Port("inverse", {"indices": "(n)"}, dtype="permutation"),),
    call="permutation",
    returns="inverse",
    sizes={"n": Size((1, 2, 3, 0, 4, 5, 8, 12))},
    dtypes=("int64",),
    equations=equations.invert_permutation,
    excludes=(
        Exclusion(
            "no_permutation",
            "permutation",
            "indices that are no permutation are refused",
            "Args: permutation",
            {"n": "n + 2"},
            kinds={"permutation": "index"},
        ),
    ),
    documents={"sizes": NEVER},
)

_CASTS = ("double", "float", "half", "long", "int", "short", "char", "byte", "cpu")

PackedSequence = Contract(
    module=f"{_PACKAGE}.PackedSequence",
    function=True,
    arguments=(),
    options=(
        Argument("dtype", ("float32", "float64", "float16", "bfloat16", "int64"), default=None,
                 where="(layout == 'to') == (dtype is not None)"),
        # Later pages no longer say that these may be passed.
        Argument("copy", (True,), default=False, where="layout == 'to' or not copy", releases="<2.10"),
        Argument("non_blocking", (True,), default=False, where="layout == 'to' or not non_blocking",
                 releases="<2.10"),
    ),
    layouts=(
        Layout("to", packed="sequence", method="to"),
        Layout("cast", packed="sequence", method="{cast}"),  # of these only the note on all that torch makes speaks
        Layout("is_cuda", packed="sequence", method="is_cuda"),
        Layout("is_pinned", packed="sequence", method="is_pinned"),
    ),
    inputs=(Port("sequence", {"to cast is_cuda is_pinned": "(T, B, *S)"}),),
    outputs=(
        Port("output", {"to cast": "(sum(lengths), *S)", "is_cuda is_pinned": "()"}, packed=True,
             dtype={"to": "given", "cast": "unsaid", "is_cuda": "plain", "is_pinned": "plain"}),
    ),
    call="sequence",
    returns="output",
    sizes={**_SIZES, "cast": Size(_CASTS)},
    where=_DRAWN,
    dtypes=_DTYPES,
    refuses=False,
    documents={"signature": NEVER, "sizes": NEVER},  # "Instances of this class should never be created manually."
)  # fmt: skip

CONTRACTS = (
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpad_sequence,
    pack_sequence,
    unpack_sequence,
    invert_permutation,
    PackedSequence,
)
