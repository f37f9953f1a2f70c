"""Fault -> outcome: the table that ``docs/faults.md`` is made of. Each row is held by the test that it names.

Run as a program, it writes the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_PROCESSES, _REPLIES, _AROUND = "robust/test_processes.py", "robust/test_replies.py", "robust/test_surroundings.py"
_READERS, _REMOTE, _FLAKY = "robust/test_readers.py", "robust/test_remote.py", "robust/test_flaky.py"
_TARGETS, _CLI, _RESULTS = "test_targets.py", "test_cli.py", "test_results.py"


class Fault(NamedTuple):
    """What goes wrong; the exit code (``1`` and others: as the verdict then is); what is kept and said; which test."""

    what: str
    exit: str
    outcome: str
    file: str
    test: str


FAULTS = {
    "The target": (
        Fault("dies of SIGSEGV in a corner of the configurations", "1",
              "a discrepancy of severity *crash* with the smallest case; the other claims are judged",
              _PROCESSES, "test_a_target_that_dies_is_a_discrepancy_with_its_smallest_case_and_the_other_claims_are_judged"),
        Fault("dies of SIGKILL, SIGSEGV, SIGABRT or SIGFPE", "1", "the outcome of that case, which names the signal",
              _TARGETS, "test_a_case_that_kills_the_process_is_an_outcome_that_names_the_signal_and_the_next_one_runs"),
        Fault("dies once, and not again with the same case", "0", "the case is judged by its second run; a restart is told",
              _TARGETS, "test_a_death_that_does_not_come_again_with_its_case_is_not_blamed_on_it"),
        Fault("exits, or its agent ends", "1", "the outcome of that case",
              _TARGETS, "test_a_case_that_ends_the_process_or_the_agent_in_it_is_an_outcome_at_once"),
        Fault("hangs in Python or in C", "1", "a discrepancy of severity *hang* after `--time-limit`",
              _TARGETS, "test_a_case_that_hangs_is_an_outcome_within_its_limit"),
        Fault("gets no memory", "0 or 5", "the case is counted as *unsupported*, neither kept nor broken",
              _PROCESSES, "test_memory_that_a_target_does_not_get_is_no_discrepancy_of_torch_and_no_pass"),
        Fault("writes to its standard output", "0", "nothing of it arrives",
              _TARGETS, "test_what_a_module_prints_does_not_disturb_the_conversation"),
        Fault("sends a reply that is corrupted, of the wrong number or size, or too large", "1",
              "an outcome of that case: *its reply makes no sense*; the process is replaced",
              _REPLIES, "test_a_reply_that_makes_no_sense_is_an_outcome_of_the_case"),
        Fault("sends source to be executed", "0", "it is refused", _REPLIES, "test_nothing_that_a_target_sends_is_executed"),
        Fault("loses the context of its device (an assertion on the device)", "1",
              "blamed on the case that did it; the process is replaced and the next cases run",
              _REPLIES, "test_a_context_that_one_case_poisons_is_blamed_on_that_case_alone"),
        Fault("has an interpreter that is missing or lacks torch", "4", "lost, with the reason",
              _TARGETS, "test_a_target_that_cannot_be_had_says_why"),
        Fault("has a torch that is broken, too old or dies when imported", "4", "lost, with the reason",
              _REPLIES, "test_a_torch_that_cannot_be_used_is_said_to_be_the_reason"),
        Fault("never answers", "4", "lost after three minutes; the process is ended",
              _REPLIES, "test_an_interpreter_that_never_answers_is_given_up_and_ended"),
        Fault("starts too slowly", "4", "lost after three minutes",
              _REPLIES, "test_a_torch_that_takes_too_long_to_start_is_given_up"),
        Fault("cannot be started again", "4", "lost in the middle; the other targets go on",
              "test_campaign.py", "test_a_target_that_cannot_be_started_again_is_lost_and_the_other_goes_on"),
        Fault("is on a host that is cut off", "4", "lost in the middle; the other targets complete",
              _REMOTE, "test_a_host_that_is_cut_off_in_the_middle_is_lost_and_the_other_completes"),
        Fault("is on a host that refuses the key", "4", "lost, with the reason",
              _REMOTE, "test_a_host_that_refuses_the_key_is_lost_and_says_so"),
        Fault("breaks a claim now and then", "4", "*flaky*, with the rate, apart from the discrepancies",
              _FLAKY, "test_what_comes_again_now_and_then_is_flaky_and_says_how_often"),
        Fault("computes now and then something else under the same seed", "1", "a discrepancy: that is what the claim is about",
              _FLAKY, "test_what_breaks_a_claim_of_determinism_now_and_then_is_a_discrepancy"),
    ),
    "The judge": (
        Fault("is killed", "-9", "the run file up to there, without a footer; the cases in flight; no rendering, no process",
              _CLI, "test_a_judge_that_is_killed_leaves_its_run_file_the_case_in_flight_and_no_process"),
        Fault("is killed while its target hangs in C", "-9", "the target ends itself when its time is over",
              _PROCESSES, "test_a_judge_that_is_killed_while_its_target_hangs_in_c_leaves_no_process"),
        Fault("is interrupted with Ctrl-C", "4", "a whole report of what there is",
              _CLI, "test_ctrl_c_keeps_what_there_is_says_inconclusive_and_leaves_no_process"),
        Fault("is interrupted twice", "4", "as once; the third interrupt ends it at once",
              _PROCESSES, "test_ctrl_c_twice_is_as_good_as_once"),
        Fault("loses a worker", "4", "another worker judges its claims again; its cases in flight are kept",
              _PROCESSES, "test_a_worker_that_is_killed_leaves_its_cases_and_makes_the_run_inconclusive"),
        Fault("is to stop (`--stop-after`)", "4, 1", "a whole report of what there is",
              _AROUND, "test_a_run_that_is_to_stop_stops_with_what_it_has_and_says_that_it_is_not_whole"),
    ),
    "Files and surroundings": (
        Fault("the disk is full while the run file or the report is written", "4", "what was written before; no verdict.json",
              _AROUND, "test_a_disk_that_is_full_in_the_middle_keeps_what_was_written_and_is_no_pass"),
        Fault("a write fails otherwise", "4", "the old file as it was", _RESULTS,
              "test_a_write_that_fails_leaves_the_old_file_and_no_other"),
        Fault("the report directory cannot be written", "2", "said before anything runs",
              _AROUND, "test_a_report_directory_that_cannot_be_written_is_refused_before_anything_runs"),
        Fault("the directory holds the report of an earlier run", "-9", "removed when the first result is written",
              _AROUND, "test_nothing_of_an_earlier_run_is_left_to_be_taken_for_the_result_of_one_that_is_killed"),
        Fault("another run writes the directory", "2", "refused, with the process that has it",
              _AROUND, "test_a_second_run_in_the_same_directory_is_refused_with_the_process_that_has_it"),
        Fault("a lock was left behind", "0", "it locks nothing", _AROUND, "test_a_lock_that_was_left_behind_locks_nothing"),
        Fault("a run file ends in half a line", "", "read up to there: a truncated run",
              _AROUND, "test_a_run_file_whose_last_line_is_half_is_read_up_to_there"),
        Fault("a run file was edited or is of another schema", "2", "refused with file, line and remedy",
              _RESULTS, "test_a_line_that_cannot_be_read_is_refused_with_file_line_and_remedy"),
        Fault("a run file holds anything", "2", "read or refused with file and line",
              _READERS, "test_a_run_file_is_read_or_refused_with_file_and_line"),
        Fault("a ledger entry holds anything", "2", "read or refused with its file",
              _READERS, "test_a_ledger_entry_is_read_or_refused_with_its_file"),
        Fault("a corpus holds anything", "2", "read or refused with its file and line",
              _READERS, "test_a_corpus_is_read_or_refused_with_its_file"),
        Fault("a usage profile holds anything", "2", "read or refused with its file",
              _READERS, "test_a_usage_profile_is_read_or_refused_with_its_file"),
        Fault("a case names anything", "2", "refused unless it is of a registered module and fits its contract",
              _READERS, "test_a_case_is_of_a_registered_module_and_fits_its_contract_or_is_refused"),
        Fault("a selector would compute for ever", "2", "refused, or it selects nothing",
              _READERS, "test_a_selector_cannot_exhaust_time_or_memory"),
        Fault("no HOME, no terminal, no UTF-8, a corrupt Hypothesis database, an odd path", "0", "nothing changes",
              _AROUND, "test_no_home_no_terminal_no_utf8_a_corrupt_hypothesis_database_and_an_odd_path_change_nothing"),
        Fault("the clock jumps", "0", "nothing is measured by it",
              _AROUND, "test_nothing_is_measured_by_a_clock_that_can_jump"),
    ),
}  # fmt: skip


def page() -> str:
    """The document."""
    parts = [
        "# What goes wrong, and what comes of it\n",
        "Made by `python -m tests.robust.outcomes`; every row is a test.\n",
    ]
    for title, faults in FAULTS.items():
        parts.append(f"## {title}\n\n| fault | exit code | outcome | test |\n|---|---|---|---|")
        parts += [f"| {f.what} | {f.exit} | {f.outcome} | `{f.file}`: {f.test[5:].replace('_', ' ')} |" for f in faults]
        parts.append("")
    return "\n".join(parts) + (
        "After each of these no process is left, and nothing reads as passed. What repeats in a fresh process three times\n"
        "of three is a discrepancy; what does not is flaky, with the rate of five.\n"
    )


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
