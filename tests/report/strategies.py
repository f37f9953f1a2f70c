"""Strategies that generate whole runs: whatever a run file can hold, renderings have to bear it."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from conformance.oracle.claims import SEVERITIES, claims_of, scenarios_of
from conformance.oracle.registry import contracts
from conformance.results import Discrepancy, Exercised, Run, Tally, TargetRecord
from conformance.strategies.boundary import boundary_cases

MARK = "<script>alert(1)</script>"
HOSTILE = (
    MARK, "\"><img src=x onerror=alert(1)>", "</pre></code><b>", "{{ 7 * 7 }}{% raw %}", "'; import os; os._exit(1) #",
    "a|b\n| c |", "[x](javascript:alert(1)) @everyone #1", "]]>", "&lt;b&gt; &amp;", "\x00\x1b[31m\x85", "\ud800 alone",
    "\u202egnp.exe", "line\nbreak\r\nand\ttab", "```\n<details>", "", " ",
)  # fmt: skip

texts = st.sampled_from(HOSTILE) | st.text(max_size=30) | st.text("abc <>&\"'`|*_[]{}", max_size=20)
names = st.text("abcdefgh._", min_size=1, max_size=12) | texts.filter(bool)
plain = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | texts
formulas = st.sampled_from(
    ["(D * num_layers, N, H_out)", "2 if bidirectional else 1", "(a, b) if k == 0 else (a, c)", "9**9**9**9**9", "(",
     "1/0", "floor((L_in + 2 * pad[0]) / stride[0] + 1)", "min(a, b) % c", "()", "(*S, H)", "x if '<b>' in y else z"]
) | texts  # fmt: skip


@cache
def real_cases():
    """One real case and claim of every scenario of every contract."""
    found = []
    for contract in contracts():
        for scenario in scenarios_of(contract):
            cases = boundary_cases(contract, scenario) if scenario != "documentation" else []
            claims = [c for c in claims_of(contract) if c.scenario == scenario]
            found += [(claims[0].to_json(), case.to_json()) for case in cases[:: max(len(cases) // 3, 1)] if claims]
    return found


@st.composite
def claims(draw) -> dict:
    """A claim of the header: a real one, or one of a module that nobody here knows."""
    if draw(st.booleans()):
        return dict(draw(st.sampled_from(real_cases()))[0])
    return {
        "id": draw(names), "module": draw(names), "scenario": draw(names), "statement": draw(texts),
        "formula": draw(st.none() | formulas), "source": draw(texts), "releases": ">=2.0",
        "authority": draw(st.sampled_from(["documentation", "documentation", "article"])),
    }  # fmt: skip


releases = st.sampled_from(["2.13.0+cpu", "2.5.1", "nonsense"]) | texts
environments = st.fixed_dictionaries({}, optional={"torch": releases, "device_name": texts, "k": plain})


@st.composite
def targets(draw) -> TargetRecord:
    name = draw(st.sampled_from(["cpu", "cuda:0", "cpu+compile"]) | names)
    return TargetRecord(
        name, draw(texts), draw(texts), draw(st.sampled_from(["cpu", "cuda:0", "meta"]) | texts),
        draw(st.sampled_from(["eager", "compile", "no_grad", "inference"])), draw(st.booleans()),
        draw(st.sampled_from(["ran", "ran", "ran", "not run", "lost"])), draw(texts), draw(environments),
        draw(st.integers(0, 3)),
    )  # fmt: skip


counts = st.integers(0, 3) | st.integers(0, 10**6)
seen = st.fixed_dictionaries(
    {"status": st.sampled_from(["ok", "raised", "crashed", "hung"])},
    optional={"message": texts, "exception": texts, "phase": texts, "warnings": st.lists(texts, max_size=2),
              "modified": st.lists(texts, max_size=2)},
)  # fmt: skip


@st.composite
def broken_cases(draw, module: str) -> dict | None:
    """A case: none, a real one of this module or of another, a spoilt one, or no case at all."""
    mine = [case for claim, case in real_cases() if claim["module"] == module] or [real_cases()[0][1]]
    case = draw(st.none() | st.sampled_from(mine) | st.sampled_from(real_cases()).map(lambda pair: pair[1]))
    if case is None or draw(st.integers(0, 3)):
        return case
    field = draw(st.sampled_from(sorted(case)))
    spoilt = plain | st.lists(plain, max_size=2) | st.dictionaries(texts, plain, max_size=2)
    return {**case, field: draw(spoilt)}


@st.composite
def runs(draw) -> Run:
    """A run: consistent in what refers to what, hostile in every text."""
    selected = draw(st.lists(claims(), max_size=5, unique_by=lambda claim: claim["id"]))
    places = draw(st.lists(targets(), max_size=3, unique_by=lambda target: target.name))
    run = Run({"claims": selected, "command": draw(st.lists(texts, max_size=3)), "suite": draw(texts), "seed": 0})
    run.targets = places
    for claim in selected:
        for target in places:
            if draw(st.integers(0, 5)):
                run.tallies.append(draw(tallies(claim, target)))
            for _ in range(draw(st.integers(0, 2))):
                run.discrepancies.append(draw(discrepancies(claim, target)))
    run.timing = draw(timings)
    run.header |= draw(st.fixed_dictionaries({}, optional={
        "entries": st.lists(entries, max_size=2) | texts,
        "ledger": st.dictionaries(names, st.fixed_dictionaries({"reason": texts, "upstream": links}), max_size=2) | texts,
    }))  # fmt: skip
    for claim in selected:
        run.exercised += [draw(exercises(claim["module"], target.name)) for target in places if draw(st.booleans())]
    run.exercised = list({(part.module, part.target): part for part in run.exercised}.values())
    run.footer = draw(st.sampled_from([None, {"verdict": "CONFORMS"}, {"verdict": "INCONCLUSIVE", "reason": MARK}]))
    return run


entries = st.fixed_dictionaries({
    "id": names, "claims": st.lists(names, max_size=2), "releases": st.sampled_from(["", ">=2.0"]), "devices": texts,
    "review_by": texts, "overlaps": st.lists(names, max_size=2), "unknown": st.lists(names, max_size=2),
})  # fmt: skip
links = texts | st.sampled_from(["https://example.org/issues/1", "javascript:alert(1)", f"https://{MARK}"])
measured = st.integers(0, 9) | st.floats(0, 9) | texts
parts_of_time = dict.fromkeys(("total", "targets", "agent", "torch", "judging"), measured)
campaigns = st.fixed_dictionaries({"module": texts, "cases": st.integers(0, 9)}, optional=parts_of_time)
timings = st.just({}) | st.fixed_dictionaries({"started": texts | st.just("2026-11-24T11:00:00"),
                                               "groups": st.lists(campaigns, max_size=3)})  # fmt: skip
bins = st.sampled_from(["exact", "beyond", "-24", "-3", "0"])
facts = (
    st.dictionaries(st.sampled_from(["error of values, dtype float32", "error of gradients, L 3"]),
                    st.dictionaries(bins, st.integers(0, 10**6), max_size=3), max_size=2)
    | st.dictionaries(st.sampled_from(["option bias", "option hidden_size", "size N", "layout", "dtype"]) | texts,
                      st.dictionaries(texts, st.integers(0, 9), max_size=3), max_size=4)
)  # fmt: skip


@st.composite
def exercises(draw, module: str, target: str) -> Exercised:
    return Exercised(module, target, draw(counts), draw(facts))


ratios = st.floats(0, 1e30)
wheres = st.none() | st.one_of(
    st.fixed_dictionaries({"of": st.just("gradients"), "parts": st.dictionaries(names, ratios, max_size=3)}),
    st.fixed_dictionaries({"of": st.sampled_from(["output", "h_n"]) | texts, "shape": st.lists(st.integers(0, 4), max_size=4),
                           "place": st.lists(st.integers(0, 3), max_size=4), "ratio": ratios, "beyond": counts,
                           "axes": st.lists(st.lists(ratios, max_size=4), max_size=4)}),
    st.dictionaries(texts, plain, max_size=2),
)  # fmt: skip


@st.composite
def tallies(draw, claim: dict, target: TargetRecord) -> Tally:
    known = draw(st.dictionaries(names, st.integers(1, 5), max_size=2))
    return Tally(claim["id"], claim["module"], claim["scenario"], target.name, draw(counts), draw(counts), draw(counts),
                 known, draw(st.booleans()))  # fmt: skip


@st.composite
def discrepancies(draw, claim: dict, target: TargetRecord) -> Discrepancy:
    return Discrepancy(
        claim["id"], claim["module"], target.name, draw(st.sampled_from(SEVERITIES) | texts), draw(texts), draw(texts),
        draw(broken_cases(claim["module"])), draw(seen), draw(st.integers(1, 9)), draw(st.none() | names),
        draw(st.booleans()), draw(wheres), draw(broken_cases(claim["module"])),
    )  # fmt: skip
