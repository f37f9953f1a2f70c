"""Generated cases: what is documented fits its layout, what is refused fits none, and the edges are all visited."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases import Case
from conformance.oracle.contract import REQUIRED, Contract, Lists, TensorOf
from conformance.oracle.expression import expression
from conformance.oracle.registry import builtin, contract_of
from conformance.strategies.boundary import boundary_cases, boundary_choices
from conformance.strategies.build import violations
from conformance.strategies.random import cases
from conformance.strategies.reduce import reduce

MODULES = [contract for contract in builtin() if not contract.function]  # functions: test_sequences
CONTRACTS = [pytest.param(contract, id=contract.prefix) for contract in MODULES]
SCENARIOS = [pytest.param(c, s, id=f"{c.prefix}-{s}") for c in MODULES for s in ("constructor", *c.layout_names)]
REFUSING = [pytest.param(contract, id=contract.prefix) for contract in MODULES if contract.refuses]
some = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def environment(contract: Contract, case: Case) -> dict[str, Any]:
    return contract.environment({**case.arguments, **case.options}, case.sizes, case.layout)


def shapes(case: Case) -> dict[str, tuple[int, ...]]:
    return {item.name: item.shape for item in case.inputs}


def admitting(contract: Contract, case: Case) -> list[str]:
    """The documented layouts as which the case's inputs can be read; packed ones are told from others by their type."""
    packed = contract.layout(case.layout).packed
    env = environment(contract, case)
    return [x.name for x in contract.layouts if x.packed == packed and contract.fits(x.name, env, shapes(case))]


def allowed(contract: Contract, arguments: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """Whether every passed argument is of its documented domain and satisfies what the page asks of it."""
    for name, value in arguments.items():
        argument = contract.argument(name)
        plain = [v for v in argument.values if not isinstance(v, TensorOf)]
        if name not in ("device", "dtype") and not isinstance(value, dict) and value not in (*plain, argument.default):
            return False
        if not expression(argument.where)(env):
            return False
    return all(a.name in arguments for a in contract.arguments if a.default is REQUIRED)


def fitting(contract: Contract, case: Case) -> bool:
    """Whether a documented case is what its page documents."""
    env = environment(contract, case)
    if not allowed(contract, case.arguments, env):
        return False
    if case.layout == "constructor":
        return not case.inputs
    used = [contract.sizes[name] for name in case.sizes]
    dtypes = {"floating": case.dtype, "index": "int64", "mask": "bool"}
    return (
        case.layout in admitting(contract, case)
        and all(expression(size.where)(env) for size in used)
        and all(item.dtype == dtypes[contract.port(item.name).kind(case.layout)] for item in case.inputs)
        and all(contract.shape_of(contract.port(i.name), case.layout)(env) == i.shape for i in case.inputs)
    )


# -- documented cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contract", "scenario"), SCENARIOS)
@some
@given(data=st.data())
def test_a_random_case_is_what_the_page_documents(contract: Contract, scenario: str, data):
    assert fitting(contract, data.draw(cases(contract, scenario)))


@pytest.mark.parametrize(("contract", "scenario"), SCENARIOS)
def test_every_boundary_case_is_what_the_page_documents(contract: Contract, scenario: str):
    examples = [dict(e.arguments) for e in contract.examples]
    for case in boundary_cases(contract, scenario):
        assert dict(case.arguments) in examples or fitting(contract, case), case


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_examples_of_the_page_are_boundary_cases_and_fit_their_layout(contract: Contract):
    for example in contract.examples:
        found = [c for c in boundary_cases(contract, example.layout) if dict(c.arguments) == dict(example.arguments)
                 and dict(c.sizes) == dict(example.sizes)]  # fmt: skip
        assert found, example.text
        assert example.layout in admitting(contract, found[0])


# -- refused cases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", REFUSING)
@some
@given(data=st.data())
def test_a_random_refused_case_fits_no_documented_layout(contract: Contract, data):
    case = data.draw(cases(contract, "refused"))
    assert case.violation is not None
    assert admitting(contract, case) == []
    assert allowed(contract, case.arguments, environment(contract, case))


@pytest.mark.parametrize("contract", REFUSING)
def test_every_enumerated_refused_case_fits_no_documented_layout(contract: Contract):
    for case in boundary_cases(contract, "refused"):
        assert admitting(contract, case) == [], case


@pytest.mark.parametrize("contract", REFUSING)
def test_a_refused_case_breaks_what_it_says_and_nothing_else(contract: Contract):
    for case in boundary_cases(contract, "refused"):
        broken, env = case.violation, environment(contract, case)
        assert broken is not None
        for item in case.inputs:
            documented = contract.shape_of(contract.port(item.name), case.layout)(env)
            assert (item.shape == documented) == (item.name != broken.port)
            if item.name == broken.port and broken.axis is not None:
                assert len(item.shape) == len(documented)
                assert item.shape[broken.axis] == broken.size != documented[broken.axis]


@pytest.mark.parametrize("contract", REFUSING)
def test_every_violation_of_every_layout_is_tried(contract: Contract):
    tried = {(c.layout, c.violation.port, c.violation.axis) for c in boundary_cases(contract, "refused") if c.violation}
    wanted = {(x.name, *violation) for x in contract.layouts for violation in violations(contract, x)}
    assert tried == wanted


# -- boundary cases ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contract", "scenario"), SCENARIOS)
def test_boundary_cases_are_distinct_and_the_same_each_time(contract: Contract, scenario: str):
    first, again = boundary_cases(contract, scenario), boundary_cases(contract, scenario)
    assert first == again
    assert len({case.hash for case in first}) == len(first)


def flags(contract: Contract) -> list[str]:
    return [a.name for a in (*contract.arguments, *contract.options) if set(map(type, a.values)) == {bool}]


def tried(contract: Contract, scenarios: tuple[str, ...], name: str) -> set[Any]:
    found = [c for s in scenarios for c in boundary_cases(contract, s)]
    return {environment(contract, c).get(name) for c in found}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_flag_is_tried_both_ways_in_calls_and_in_construction(contract: Contract):
    for name in flags(contract):
        assert tried(contract, contract.layout_names, name) >= {True, False}, name
        if name in {argument.name for argument in contract.arguments}:
            assert tried(contract, ("constructor",), name) >= {True, False}, name


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_layout_is_called_in_training_and_in_evaluation_with_every_dtype(contract: Contract):
    for layout in contract.layout_names:
        found = boundary_cases(contract, layout)
        assert {case.train for case in found} == {True, False}
        assert {case.dtype for case in found} == set(contract.dtypes)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_sizes_of_one_are_tried_and_of_zero_where_they_are_documented(contract: Contract):
    found = [case for layout in contract.layout_names for case in boundary_cases(contract, layout)]
    for name, size in contract.sizes.items():
        if isinstance(size.values, Lists) or not all(type(value) is int for value in size.values):
            continue
        used = {case.sizes[name] for case in found if name in case.sizes}
        assert {min(size.values), max(size.values)} <= used, name
        assert used & {0, 1} == {0, 1} & set(size.values), name


@pytest.mark.parametrize("contract", CONTRACTS)
def test_shapes_without_elements_are_tried_where_they_are_documented(contract: Contract):
    found = [case for layout in contract.layout_names for case in boundary_cases(contract, layout)]
    for name, size in contract.sizes.items():
        empty = [] if isinstance(size.values, Lists) else [v for v in size.values if isinstance(v, tuple) and 0 in v]
        assert set(empty) <= {case.sizes.get(name) for case in found}, name


def test_recurrent_modules_are_called_with_one_step_one_sequence_and_an_empty_batch():
    for name in ("RNN", "LSTM", "GRU"):
        contract = contract_of(f"torch.nn.{name}")
        found = boundary_cases(contract, "time_first")
        assert {0, 1} <= {case.sizes["N"] for case in found}
        assert 1 in {case.sizes["L"] for case in found}
        packed = boundary_cases(contract, "packed")
        assert {(1,), (2, 1), (1, 2)} <= {case.sizes["lengths"] for case in packed}
        assert {True, False} == {i.enforce_sorted for case in packed for i in case.inputs if i.lengths}


def values(contract: Contract, layout: str) -> dict[str, list[Any]]:
    """The options that no constraint ties to others, with the edge values of each that a layout leaves free."""
    tied = {n for a in contract.arguments for n in expression(a.where).names | {a.name} if a.where != "True"}
    tied |= expression(contract.layout(layout).when).names
    tied |= {name for size in contract.sizes.values() for name in expression(size.where).names}
    return {a.name: list(a.values) for a in contract.arguments
            if a.name not in tied and 1 < len(a.values) <= 3 and a.default is not REQUIRED
            and not any(isinstance(v, TensorOf) for v in a.values)}  # fmt: skip


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_two_values_of_every_two_free_options_meet_in_some_boundary_case(contract: Contract):
    for layout in contract.layout_names:
        environments = [environment(contract, case) for case in boundary_cases(contract, layout)]
        free = values(contract, layout)
        for (one, ones), (other, others) in itertools.combinations(free.items(), 2):
            met = {(repr(env[one]), repr(env[other])) for env in environments}
            assert {(repr(a), repr(b)) for a in ones for b in others} <= met, (layout, one, other)


# -- domains -----------------------------------------------------------------------------------------------------------


def test_a_flag_is_a_flag_in_every_case_and_a_count_a_count():
    for contract in MODULES:
        for case in boundary_cases(contract, "constructor"):
            for name, value in case.arguments.items():
                domain = contract.argument(name).values
                if set(map(type, domain)) in ({bool}, {int}):
                    assert type(value) is type(domain[0]), (case.module, name, value)


# -- reducing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_case_that_always_fails_is_reduced_to_the_simplest_one(contract: Contract):
    for layout in contract.layout_names:
        simplest = reduce(contract, layout, {}, lambda smaller: True)
        assert fitting(contract, simplest)
        assert simplest.seed == 0
        assert {item.memory for item in simplest.inputs} <= {"contiguous"}
        made = [choices for _, choices in boundary_choices(contract, layout) if choices]
        for choices in made[:: max(len(made) // 5, 1)]:
            assert reduce(contract, layout, choices, lambda smaller: True) == simplest


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_case_that_fails_alone_is_not_reduced(contract: Contract):
    for layout in contract.layout_names:
        case, choices = boundary_choices(contract, layout)[-1]
        assert reduce(contract, layout, choices, lambda smaller, case=case: smaller == case) == case
