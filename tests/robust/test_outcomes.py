"""The page of faults is what the tests hold."""

from __future__ import annotations

from pathlib import Path

from tests.robust.outcomes import FAULTS, PAGE, page


def test_every_row_of_the_page_names_a_test_that_there_is():
    tests = Path(__file__).parents[1]
    rows = [fault for faults in FAULTS.values() for fault in faults]
    assert [
        fault for fault in rows if f"def {fault.test}(" not in (tests / fault.file).read_text(encoding="utf-8")
    ] == []
    assert len({(fault.file, fault.test, fault.what) for fault in rows}) == len(rows)


def test_the_page_of_faults_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.robust.outcomes"
