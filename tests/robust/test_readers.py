"""Files that people pass around are data: whatever is in them, they are read or refused in one line, and run nothing."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cases import Case, CaseError
from conformance.compare.uses import UsesError, load
from conformance.corpus import Corpus, CorpusError
from conformance.ledger import LedgerError
from conformance.ledger.entry import read_entry
from conformance.ledger.ledger import OWN
from conformance.oracle.expression import FormulaError
from conformance.oracle.registry import ContractError, contract_of
from conformance.oracle.selector import Selector
from conformance.replay import check
from conformance.results import RunFileError, read
from conformance.verdict import verdict
from tests.robust.test_replies import changed, places, plain
from tests.test_results import PASSED, discrepancy, run, target

INPUTS = 1500  # for each reader
fuzz = settings(max_examples=INPUTS, deadline=None, database=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
ENTRIES = sorted(OWN.glob("*.toml"))
CORPUS = next(path for path in sorted(Path(__file__).parents[2].glob("conformance/corpus/*.jsonl")))
USES = 'modules = ["LSTM"]\n[[configuration]]\nmodule = "torch.nn.LSTM"\nlayout = "time_first"\narguments = {input_size = 2, hidden_size = 3}\ninputs = {input = [4, 2, 2]}\n'


def spoiled(text: str) -> st.SearchStrategy[str]:
    """The text with a piece cut out, doubled or replaced."""

    def spoil(drawn: tuple[int, int, str]) -> str:
        start, length, put = drawn
        return text[:start] + put + text[start + length :]

    word = st.sampled_from(
        ["", "null", "[]", "{}", "-1", "1e999", '"', "\n", "'''", "9" * 400, "[" * 3000, "*", "\x00", "NaN"]
    )
    return st.tuples(st.integers(0, len(text)), st.integers(0, 60), word | st.text(max_size=4)).map(spoil)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", errors="surrogateescape" if text.isascii() else "replace")
    return path


@fuzz
@given(data=st.data())
def test_a_run_file_is_read_or_refused_with_file_and_line(tmp_path, data):
    text = "".join(json.dumps(line) + "\n" for line in run(PASSED, found=(discrepancy(),), targets=(target(),)).lines())
    path = written(tmp_path / "run.jsonl", data.draw(spoiled(text)))
    try:
        kept = read(path)
        verdict(kept)
    except RunFileError as refused:
        assert str(refused).startswith(str(path))


@fuzz
@given(data=st.data())
def test_a_case_is_of_a_registered_module_and_fits_its_contract_or_is_refused(data):
    known = json.loads(CORPUS.read_text().splitlines()[1])
    whole = Case.from_json({**known, "schema": 1, "module": known.get("module", CORPUS.stem)}).to_json()
    place = data.draw(st.sampled_from(places(whole)[1:]))
    value = data.draw(
        plain | st.sampled_from(["os.system", "torch.hub.load", "torch.nn.Linear", 10**12, -1, [1 << 40]])
    )
    try:
        case = Case.from_json(changed(copy.deepcopy(whole), place, value))
        check(case, contract_of(case.module))
    except (CaseError, ContractError) as refused:
        assert str(refused)


@fuzz
@given(data=st.data())
def test_a_ledger_entry_is_read_or_refused_with_its_file(tmp_path, data):
    path = written(tmp_path / ENTRIES[0].name, data.draw(spoiled(ENTRIES[0].read_text(encoding="utf-8"))))
    try:
        entry = read_entry(path)
        entry.selects({"num_layers": 2}, "2.13.0", "cpu")
    except LedgerError as refused:
        assert str(path) in str(refused)


@fuzz
@given(data=st.data())
def test_a_corpus_is_read_or_refused_with_its_file(tmp_path, data):
    text = "\n".join(CORPUS.read_text().splitlines()[:4]) + "\n"
    path = written(tmp_path / CORPUS.name, data.draw(spoiled(text)))
    try:
        Corpus(tmp_path).cases(CORPUS.stem)
    except CorpusError as refused:
        assert str(path) in str(refused)


@fuzz
@given(data=st.data())
def test_a_usage_profile_is_read_or_refused_with_its_file(tmp_path, data):
    path = written(tmp_path / "uses.toml", data.draw(spoiled(USES)))
    try:
        load(str(path))
    except UsesError as refused:
        assert str(path) in str(refused)


# -- formulas ----------------------------------------------------------------------------------------------------------

words = st.sampled_from(["L", "N", "num_layers", "1", "2.5", "'x'", "(", ")", "[", "]", "+", "*", "**", "//", "%", "<<", ",", " if ",
                         " else ", " and ", " in ", "lambda x:", "floor(", "sum(", "__import__('os')", ".__class__", "for x in", ":=", "f'{L}'",
                         "await ", "{", "}", "~", "-", "==", "*L"])  # fmt: skip


@fuzz
@given(st.lists(words, max_size=12).map("".join))
def test_a_selector_is_arithmetic_or_is_refused(text: str):
    try:
        formula = Selector(text)
    except FormulaError as refused:
        assert "is not a formula" in str(refused) or "unknown function" in str(refused)
        return
    assert not {"__import__", "__class__"} & formula.names


@pytest.mark.parametrize(
    "text",
    ["9 ** 9 ** 9 ** 9", "L ** 99999999", "(9,) * 9999999999", "'x' * 99999999999", "1 << 99999999999", "L * (L, L) * 999999999",
     "prod((9 ** 999,) * 99)", "pair(1) * 9999999999", "'%99999999999d' % L", "L" + " * L" * 9999],
)  # fmt: skip
def test_a_selector_cannot_exhaust_time_or_memory(text: str):
    started = time.perf_counter()
    with pytest.raises((FormulaError, ArithmeticError, TypeError, ValueError)):
        Selector(text)({"L": 3})
    assert time.perf_counter() - started < 0.5
