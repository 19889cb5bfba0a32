"""Defects in the script that puts members of a semaphore in order; each is caught by the test named beside it."""

from tests.contract.store.planted import Defect

_RULE, _ADMISSION = "test_slot_rule", "test_admission"
MEMBERS = (
    Defect(
        "a free slot does not go to who has run before",
        "r.ran and '0' or '1'",
        "'0'",
        f"{_RULE}::test_a_free_slot_goes_to_a_job_that_has_run_before_whatever_its_tenant_holds",
    ),
    Defect(
        "flows go by what they hold before who has run",
        "string.sub(own, 1, 1) .. string.format('%06d', flow.held)",
        "string.format('%06d', flow.held) .. string.sub(own, 1, 1)",
        f"{_RULE}::test_a_free_slot_goes_to_a_job_that_has_run_before_whatever_its_tenant_holds",
    ),
    Defect(
        "within a flow weight goes before who has run",
        "'\\0' .. ran .. r.weight .. r.order",
        "'\\0' .. r.weight .. ran .. r.order",
        f"{_RULE}::test_of_a_tenant_who_has_run_before_goes_first_whatever_its_priority_and_age",
    ),
    Defect(
        "weight counts nothing",
        "ran .. r.weight .. r.order",
        "ran .. '00' .. r.order",
        f"{_RULE}::test_a_higher_priority_goes_first_within_a_tenant_and_between_tenants_that_hold_as_many",
    ),
    Defect(
        "the youngest goes first",
        "ran .. r.weight .. r.order",
        "ran .. r.weight .. string.format('%015.0f', 999999999999999 - tonumber(string.sub(r.order, 1, 15)))",
        f"{_RULE}::test_of_equals_the_oldest_goes_first",
    ),
    Defect(
        "what a flow holds counts nothing",
        "string.format('%06d', flow.held)",
        "'000000'",
        f"{_RULE}::test_the_tenant_with_the_fewest_slots_goes_first_whatever_the_priority",
    ),
    Defect(
        "what a flow holds is not counted down",
        "(is[3] and 1 or 0) - (was[3] and 1 or 0)",
        "(is[3] and not was[3] and 1 or 0)",
        f"{_RULE}::test_the_tenant_with_the_fewest_slots_goes_first_whatever_the_priority",
    ),
    Defect(
        "all members are free of their queues",
        "return r.free and '' or",
        "return true and '' or",
        f"{_ADMISSION}::test_jobs_of_a_session_run_one_after_the_other",
    ),
    Defect(
        "no member is free of its queue",
        "return r.free and '' or",
        "return",
        f"{_RULE}::test_a_child_waits_for_no_other_job_of_its_session",
    ),
    Defect(
        "who rests leaves its queue",
        "r.state == 'rests' and r.ran",
        "false",
        f"{_RULE}::test_a_session_belongs_to_a_job_that_has_begun_until_it_ends",
    ),
    Defect(
        "who has not begun holds up its queue",
        "r.state == 'rests' and r.ran",
        "r.state == 'rests'",
        f"{_RULE}::test_a_session_belongs_to_a_job_that_has_begun_until_it_ends",
    ),
    Defect(
        "of a session's jobs the oldest goes first, whoever has run",
        "(r.held and '0' or '1') .. ran .. r.order",
        "r.order",
        f"{_RULE}::test_a_session_belongs_to_a_job_that_has_begun_until_it_ends",
    ),
    Defect(
        "lines and flows are in one order",
        "'q', 'l', 'f'",
        "'q', 'f', 'f'",
        f"{_RULE}::test_whatever_its_names_are_a_session_has_its_place_in_the_order",
    ),
    Defect(
        "who leaves the line stays counted",
        "- (was.line and 1 or 0))",
        "- 0)",
        f"{_RULE}::test_who_leaves_the_line_is_counted_no_more",
    ),
    Defect(
        "a queue has one member less than it has",
        "(value('queue:' .. queue) or 0) + (is[6] and 1 or 0)",
        "(value('queue:' .. queue) or 0)",
        f"{_ADMISSION}::test_jobs_of_a_session_run_one_after_the_other",
    ),
    Defect(
        "who comes is the first of its queue",
        "size == 1 and is[6] or nil",
        "is[6] or nil",
        f"{_RULE}::test_a_session_belongs_to_a_job_that_has_begun_until_it_ends",
    ),
    Defect(
        "the number of a queue stays when nobody is left",
        "(r or size > 0) and size",
        "size",
        f"{_RULE}::test_nothing_of_a_session_stays_once_its_jobs_are_dropped",
    ),
)
