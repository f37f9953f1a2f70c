"""What a page promises of a call in one layout: it is accepted, and what comes out has these dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from conformance.oracle.claims.claim import Claim, Evidence, Failure, Judgement, happened, severity_of, unsupported
from conformance.oracle.claims.constructor import on_device
from conformance.oracle.contract import Contract, Layout, Port
from conformance.oracle.expression import expression


def claims(contract: Contract) -> Iterator[Claim]:
    """The claims exercised by calling, one set a layout."""
    for layout in contract.layouts:
        make = partial(_claim, contract, layout)
        shapes = ", ".join(
            f"{p.name} {p.by_layout[layout.name]}" for p in contract.inputs if layout.name in p.by_layout
        )
        yield make("accepts", f"a call with {shapes} is accepted", "Inputs", accepted)
        yield make("result.nesting", f"the call returns {contract.returns}", "Outputs", _nesting)
        yield make("inputs.unmodified", "the call does not modify what it is given", "Inputs", _unmodified)
        for port in contract.outputs:
            if layout.name in port.by_layout:
                yield from _of_output(make, port, layout)
        if layout.packed and not contract.function:
            yield make("output.is_packed", "a packed input gives a packed output", "Outputs: output",
                       partial(_is_packed, layout.packed))  # fmt: skip
            yield make("output.indices", "a packed output has the batch_sizes and indices of its input",
                       "Outputs: output", partial(_indices, layout.packed))  # fmt: skip
        for number, example in enumerate(contract.examples, 1):
            if example.layout == layout.name:
                yield make(f"example.{number}", f"{example.text} runs and gives the documented shapes", example.source,
                           partial(_example, number))  # fmt: skip


def _of_output(make: Any, port: Port, layout: Layout) -> Iterator[Claim]:
    text = port.by_layout[layout.name]
    source, kind = f"Outputs: {port.name}", port.kind(layout.name)
    if kind == "plain":
        return
    yield make(f"{port.name}.shape", f"{port.name} has shape {text}", source, partial(_shape, port), text)
    if kind != "unsaid":
        said = _DTYPES.get(kind, "has the dtype of the input")
        yield make(f"{port.name}.dtype", f"{port.name} {said}", source, partial(_dtype, port))
    where = "the CPU" if kind == "lengths" else "the device of the input"
    yield make(f"{port.name}.device", f"{port.name} is on {where}", source, partial(_device, port))
    if port.when != "True":
        yield make(f"{port.name}.presence", f"{port.name} is returned where {port.when}, else not", source,
                   partial(_presence, port))  # fmt: skip


def _claim(
    contract: Contract, layout: Layout, name: str, statement: str, source: str, check: Any, formula: str | None = None
) -> Claim:
    return Claim(
        f"{contract.prefix}.{name}.{layout.name}", contract.module, layout.name, statement, source, check, formula
    )


def accepted(e: Evidence) -> Judgement:
    """Whether the documented call succeeded."""
    if e.ok or e.seen["phase"] == "backward":  # what failed then is not the call
        return True
    if unsupported(e):
        return "unsupported"
    return Failure("the documented call is accepted", happened(e.seen), severity_of(e.seen))


def _nesting(e: Evidence) -> Judgement:
    if not e.ok:
        return False
    return e.outputs is not None or Failure(f"({e.contract.returns})", nesting(e.seen["result"]))


def nesting(result: Any) -> str:
    """How a result is nested, ``(tensor, (tensor, tensor))``."""
    if "items" not in result:
        return str(result["type"])
    inner = ", ".join(nesting(item) for item in result["items"])
    return f"({inner})" if result["type"] == "tuple" else f"{result['type']}[{inner}]"


def _unmodified(e: Evidence) -> Judgement:
    if not e.ok:
        return False
    changed = e.seen["modified"]
    return not changed or Failure("the inputs are unchanged", f"changed: {', '.join(changed)}", "silent")


def expects(e: Evidence, port: Port) -> bool:
    """Whether the configuration documents this output at all."""
    return bool(expression(port.when)(e.env))


def output(e: Evidence, port: Port) -> Any:
    """This output where it is documented and there, else None."""
    if not e.outputs or not expects(e, port):
        return None
    found = e.outputs.get(port.name)
    return found if found and found["type"] != "NoneType" else None


def _presence(port: Port, e: Evidence) -> Judgement:
    if e.outputs is None:
        return False
    value = e.outputs.get(port.name)
    there = value is not None and value["type"] != "NoneType"
    wanted = expects(e, port)
    return there == wanted or Failure("returned" if wanted else "not returned", "returned" if there else "not returned")


def _shape(port: Port, e: Evidence) -> Judgement:
    found = output(e, port)
    return False if found is None else shaped(port, found, e)


def shaped(port: Port, found: Any, e: Evidence) -> Judgement:
    """Whether this is what an output looks like."""
    if port.each is not None:
        return _shapes(port, found, e)
    expected = e.contract.shape_of(port, e.case.layout)(e.env)
    if tuple(found["shape"]) == expected:
        return True
    return Failure(f"{port.name} {port.by_layout[e.case.layout]} = {expected}", f"{port.name} {tuple(found['shape'])}")


def _shapes(port: Port, found: Any, e: Evidence) -> Judgement:
    """The shape of every tensor of a list."""
    text = e.contract.shape_of(port, e.case.layout)
    expected = [text({**e.env, "L": length}) for length in expression(str(port.each))(e.env)]
    seen = [tuple(item["shape"]) for item in found["items"]]
    return seen == expected or Failure(f"{port.name} {text.text} = {expected}", f"{port.name} {seen}")


def _dtype(port: Port, e: Evidence) -> Judgement:
    found = output(e, port)
    if found is None:
        return False
    expected = dtype_of(port, e)
    seen = [item["dtype"] for item in found.get("items", [found])]
    return set(seen) <= {expected} or Failure(f"{port.name} {expected}", f"{port.name} {', '.join(seen)}", "silent")


def dtype_of(port: Port, e: Evidence) -> str:
    """The documented dtype of an output."""
    kind = port.kind(e.case.layout)
    if kind == "given":
        return str(e.env["dtype"])
    return "int64" if kind in ("index", "lengths", "permutation") else e.case.dtype


_DTYPES = {"given": "has the given dtype", "lengths": "is a tensor of int64"}


def _device(port: Port, e: Evidence) -> Judgement:
    found = output(e, port)
    if found is None:
        return False
    expected = "cpu" if port.kind(e.case.layout) == "lengths" else e.device
    wrong = [item["device"] for item in found.get("items", [found]) if not on_device(item["device"], expected)]
    return not wrong or Failure(f"{port.name} on {expected}", f"{port.name} on {', '.join(wrong)}", "silent")


def _is_packed(port: str, e: Evidence) -> Judgement:
    if not e.outputs:
        return False
    kind = next(iter(e.outputs.values()))["type"]
    return kind == "packed" or Failure("a PackedSequence", f"a {kind}")


def _indices(port: str, e: Evidence) -> Judgement:
    if not e.outputs:
        return False
    given, found = e.seen["packs"][port], next(iter(e.outputs.values()))
    if found["type"] != "packed":
        return False
    for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        if given[name] != found[name]:
            return Failure(f"{name} {given[name]}", f"{name} {found[name]}", "silent")
    return True


def _example(number: int, e: Evidence) -> Judgement:
    example = e.contract.examples[number - 1]
    if {**e.case.arguments, **e.case.options} != dict(example.arguments) or dict(e.case.sizes) != dict(example.sizes):
        return False
    if e.outputs is None:
        return Failure(f"{example.text} runs", happened(e.seen), severity_of(e.seen))
    found = {name: tuple(value["shape"]) for name, value in e.outputs.items() if value and "shape" in value}
    wrong = {name: found.get(name) for name, shape in example.outputs.items() if found.get(name) != shape}
    return not wrong or Failure(str(dict(example.outputs)), str(wrong))
