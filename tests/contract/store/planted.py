"""Defects in the scripts that run: each is caught by the contract tests named beside it.

A defect is a part of a script and what stands there instead. It is planted in a Redis in this process, so no file
changes, and what is caught is the text that production sends.
"""

from dataclasses import dataclass
from typing import Any

from baton.sdk.clock import SystemClock
from baton.store.redis.in_process.server import InProcessRedis
from tests.contract.store.side import InProcess

# As a server's own limit: a script that goes round in circles ends with an error.
_ENDS = "debug.sethook(function() error('it does not come to an end') end, '', 3000000) "
_HAS_ENDED = "debug.sethook()"


@dataclass(frozen=True, slots=True)
class Defect:
    """`old` becomes `new`; the test `caught_by` (module::name) fails."""

    name: str
    old: str
    new: str
    caught_by: str


class PlantedRedis(InProcessRedis):
    def __init__(self, defect: Defect) -> None:
        super().__init__(SystemClock().now_ms)
        self._defect, self.planted = defect, False

    def run(self, *command: str | int) -> Any:
        try:
            return super().run(*command)
        finally:
            self._lua.run(_HAS_ENDED, [], [], self._call)

    def script(self, text: str) -> str:
        if not (found := text.count(self._defect.old)):
            return text
        assert found == 1, f"{self._defect.old!r} stands in the script {found} times"
        self.planted = True
        return _ENDS + text.partition("\n")[2].replace(self._defect.old, self._defect.new)


_WRITE = "test_compare_and_write"
APPLY = (
    Defect(
        "a text that is another one holds",
        "if not sum and text ~= (there",
        "if not sum and not text and text ~= (there",
        f"{_WRITE}::test_fields_hold_while_they_have_these_texts",
    ),
    Defect(
        "a field that is there is absent",
        "absent = function(key, first, count) return compare(key, first, count, false) end",
        "absent = function(key, first, count) return true end",
        f"{_WRITE}::test_a_field_is_absent_while_it_is_not_there",
    ),
    Defect(
        "what is appended replaces what is there",
        "string.sub((text or '') .. ARGV[at], -400)",
        "ARGV[at]",
        f"{_WRITE}::test_a_text_is_appended_to_what_is_there_and_only_the_end_stays",
    ),
    Defect(
        "none of several fields is needed",
        "any = function(key, first, count) return not compare(key, first, count, false) end",
        "any = function(key, first, count) return true end",
        f"{_WRITE}::test_one_of_several_fields_is_enough_and_needed",
    ),
    Defect(
        "one of two keys may be there",
        "call('EXISTS', key, KEYS[other])",
        "call('EXISTS', key)",
        f"{_WRITE}::test_two_keys_are_missing_while_neither_is_there",
    ),
    Defect(
        "another number of values holds",
        "return number == 0",
        "return number <= 0",
        f"{_WRITE}::test_as_many_values_have_a_text_as_were_seen",
    ),
    Defect(
        "a text is a pattern",
        "string.find(value, ARGV[text], 1, true)",
        "string.find(value, ARGV[text])",
        f"{_WRITE}::test_as_many_values_have_a_text_as_were_seen",
    ),
    Defect(
        "the first condition alone is looked at",
        "in ipairs(plan.conditions) do",
        "in ipairs({plan.conditions[1]}) do",
        f"{_WRITE}::test_each_condition_must_hold_wherever_it_stands",
    ),
    Defect(
        "a refused patch writes all the same",
        "    return {commands, 0, {each[1]}}",
        "    for _, one in ipairs(plan.writes) do run(unpack(one)) end\n    return {commands, 0, {each[1]}}",
        f"{_WRITE}::test_each_condition_must_hold_wherever_it_stands",
    ),
    Defect(
        "the last write is left out",
        "in ipairs(plan.writes) do",
        "in ipairs({unpack(plan.writes, 1, #plan.writes - 1)}) do",
        f"{_WRITE}::test_each_condition_must_hold_wherever_it_stands",
    ),
    Defect(
        "it is read before it is written",
        "for _, each in ipairs(plan.writes) do",
        "local early = read(plan.reads)\nread = function() return early end\nfor _, each in ipairs(plan.writes) do",
        f"{_WRITE}::test_what_is_read_is_what_was_written",
    ),
    Defect(
        "a sum begins anew",
        "more + (tonumber(text) or 0)",
        "more",
        f"{_WRITE}::test_a_sum_is_that_of_what_is_there_and_not_of_what_was_known",
    ),
    Defect(
        "more is read than may be",
        "sum <= plan.most and",
        "true and",
        f"{_WRITE}::test_more_than_may_be_read_is_answered_by_its_size",
    ),
)
COUNTED = (
    Defect(
        "the calls of a script are not counted",
        "    commands = commands + 1\n    return server.call(...)",
        "    return server.call(...)",
        "test_planted::test_a_script_says_what_it_costs",
    ),
)


def planted_connection(defect: Defect) -> tuple[InProcess, PlantedRedis]:
    redis = PlantedRedis(defect)
    return InProcess(redis), redis


_RULE, _ADMISSION = "test_slot_rule", "test_admission"
SEMAPHORE = (
    Defect(
        "a tenant over its bound gets a free slot at once",
        "may_hold(r.flow) and values.lines == 0",
        "may_hold() and values.lines == 0",
        "test_admission::test_more_of_a_tenant_wait_and_hold_nobody_else_up",
    ),
    Defect(
        "a tenant over its bound gets the slot of another one",
        "    elseif may_hold(r.flow) then",
        "    elseif true then",
        "test_admission::test_no_slot_stays_free_that_the_bound_lets_somebody_have",
    ),
    Defect(
        "a tenant at its bound holds others up",
        "      flow.place, changed['flow:' .. r.flow] = move(FLOWS, nil, flow.place, nil), true\n",
        "      do return end\n",
        "test_admission::test_no_slot_stays_free_that_the_bound_lets_somebody_have",
    ),
    Defect(
        "an older update counts",
        "if new.revision > r.revision then",
        "if new.revision ~= r.revision then",
        f"{_RULE}::test_an_older_update_changes_nothing_and_is_answered_with_the_later_one",
    ),
    Defect(
        "who repeats its update has run",
        "r.ran and r.state ~= 'out'",
        "r.state ~= 'out'",
        f"{_RULE}::test_who_only_repeats_that_it_wants_a_slot_has_not_run",
    ),
    Defect(
        "who is begun anew has run",
        "r.ran and r.state ~= 'out'",
        "r.ran",
        f"{_RULE}::test_who_only_repeats_that_it_wants_a_slot_has_not_run",
    ),
    Defect(
        "a repeated update is no sign of life",
        "math.max(r.seen, new.seen)",
        "r.seen",
        f"{_RULE}::test_a_repeated_update_counts_as_a_sign_of_life_and_never_an_earlier_one",
    ),
    Defect(
        "an older update is a sign of life",
        "  if new.revision == r.revision then\n    r.seen",
        "  if true then\n    r.seen",
        f"{_RULE}::test_an_older_update_changes_nothing_and_is_answered_with_the_later_one",
    ),
    Defect(
        "an earlier sign of life counts",
        "math.max(r.seen, new.seen)",
        "new.seen",
        f"{_RULE}::test_a_repeated_update_counts_as_a_sign_of_life_and_never_an_earlier_one",
    ),
    Defect(
        "what stands beside it is left out",
        "ipairs(plan.beside or {})",
        "ipairs({})",
        "test_listing::test_a_slot_request_names_the_shelves_of_its_rows_again_and_again",
    ),
    Defect(
        "a stopped semaphore is given",
        "values.closed == 0 and",
        "",
        f"{_ADMISSION}::test_nobody_is_admitted_while_it_is_stopped",
    ),
    Defect(
        "one more holds it",
        "values.holders < (values.size or plan.size)",
        "values.holders <= (values.size or plan.size)",
        f"{_ADMISSION}::test_free_slots_are_given_at_once_and_the_first_one_arms_a_sweep",
    ),
    Defect(
        "the size that an operator set counts nothing",
        "(values.size or plan.size)",
        "plan.size",
        f"{_ADMISSION}::test_a_start_says_how_many_slots_there_are_until_another_one_says_otherwise",
    ),
    Defect(
        "a free slot stays free",
        "while may_hold() and values.lines > 0 do",
        "while false do",
        f"{_ADMISSION}::test_jobs_of_a_session_run_one_after_the_other",
    ),
    Defect(
        "who passes over others is given at once",
        "and values.lines == 0 and (turn",
        "and (turn",
        f"{_RULE}::test_who_comes_does_not_pass_over_who_waits_for_a_slot_that_is_free",
    ),
    Defect(
        "who got a slot is not told",
        "r.held, r.ran, r.by = true, true, name == plan.fill and '' or plan.fill",
        "r.held, r.ran, r.by = true, true, ''",
        f"{_RULE}::test_a_granted_slot_is_told_by_who_caused_it_until_it_is_taken",
    ),
    Defect(
        "who was given it by another one has not run",
        "r.held, r.ran, r.by = true, true, name == plan.fill",
        "r.held, r.ran, r.by = true, false, name == plan.fill",
        f"{_RULE}::test_a_job_that_was_given_a_slot_by_another_one_has_run",
    ),
    Defect(
        "what others caused is told by everybody",
        "plan.everybody and {'[u', '(v'}",
        "true and {'[u', '(v'}",
        f"{_RULE}::test_a_granted_slot_is_told_by_who_caused_it_until_it_is_taken",
    ),
    Defect(
        "a sweep tells of its own grants alone",
        "plan.everybody and {'[u', '(v'}",
        "false",
        f"{_RULE}::test_a_granted_slot_is_told_by_who_caused_it_until_it_is_taken",
    ),
    Defect(
        "no alarm is set",
        "  return is_due and",
        "  return false and",
        f"{_RULE}::test_a_sweep_is_armed_while_a_job_holds_a_slot_and_by_one_update_alone",
    ),
    Defect(
        "an alarm is set though nobody holds it",
        "local is_due = values.holders > 0 and not",
        "local is_due = not",
        f"{_RULE}::test_a_sweep_is_armed_while_a_job_holds_a_slot_and_by_one_update_alone",
    ),
    Defect(
        "an alarm that is much too late counts",
        "and math.abs(values.alarm - clock - plan.interval / 2) <= 1.5 * plan.interval",
        "and values.alarm >= clock - plan.interval",
        f"{_RULE}::test_a_sweep_is_armed_while_a_job_holds_a_slot_and_by_one_update_alone",
    ),
    Defect(
        "a lost alarm is not set again",
        "and math.abs(values.alarm - clock - plan.interval / 2) <= 1.5 * plan.interval",
        "and values.alarm <= clock + 2 * plan.interval",
        f"{_RULE}::test_a_sweep_is_armed_while_a_job_holds_a_slot_and_by_one_update_alone",
    ),
    Defect(
        "the copy of an alarm sets another one",
        "values.alarm > (plan.due or 0)",
        "values.alarm ~= (plan.due or 0) and not plan.due",
        f"{_RULE}::test_a_sweep_that_comes_arms_the_next_one_and_its_copy_none",
    ),
    Defect(
        "the alarm that has come counts as set",
        "values.alarm > (plan.due or 0)",
        "values.alarm > 0",
        f"{_RULE}::test_a_sweep_that_comes_arms_the_next_one_and_its_copy_none",
    ),
    Defect(
        "who wants to be alone enters all the same",
        "if plan.alone and not r and turn",
        "if false and not r and turn",
        f"{_ADMISSION}::test_who_wants_to_be_alone_is_not_entered_while_another_one_of_the_session_is_live",
    ),
    Defect(
        "what was seen since is dropped",
        "elseif r and r.seen == new.seen then",
        "elseif r then",
        f"{_RULE}::test_a_pruned_job_leaves_if_it_was_not_heard_of_since",
    ),
    Defect(
        "nothing is dropped",
        "elseif r and r.seen == new.seen then",
        "elseif false then",
        f"{_RULE}::test_a_pruned_job_leaves_if_it_was_not_heard_of_since",
    ),
    Defect(
        "what is counted with the first update is counted with each",
        "plan.entered and not r or",
        "plan.entered or",
        f"{_RULE}::test_what_a_job_stores_is_counted_with_its_first_update_alone",
    ),
    Defect(
        "what is counted is kept for longer with each addition",
        "is_new or each[1] ~= 'PEXPIRE'",
        "true",
        f"{_RULE}::test_sums_of_stored_bytes_are_kept_for_longer_with_a_new_one_alone",
    ),
    Defect(
        "an alarm goes by the clock of who asks",
        "if plan.own_clock and values.holders > 0",
        "if false and values.holders > 0",
        f"{_RULE}::test_a_sweep_is_armed_by_the_store_s_clock",
    ),
    Defect(
        "an end is counted with each update",
        "and r and new.revision > r.revision and r.state ~= 'out'",
        "and r",
        f"{_ADMISSION}::test_each_end_is_counted_once_by_agent",
    ),
)
