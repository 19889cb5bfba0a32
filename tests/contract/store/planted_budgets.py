"""Defects in the scripts of budgets: each is caught by the contract test beside it (planted.py)."""

from tests.contract.store.planted import Defect

_IN_FULL = "test_budgets::test_a_reservation_whose_lease_is_over_counts_in_full"
_ALONE = "test_budgets::test_a_call_of_unknown_price_is_alone"
BUDGET = tuple(
    Defect(name, old, new, caught_by)
    for name, old, new, caught_by in (
        (
            "what others have reserved is not in the way",
            "spent + get(b, 'held:' .. b.label) + b.amount > limit)",
            "spent + b.amount > limit)",
            "test_budgets::test_racing_calls_get_the_room_that_there_is",
        ),
        (
            "what others have reserved counts as spent",
            "elseif spent >= limit or spent + b.amount > limit then",
            "elseif spent + get(b, 'held:' .. b.label) + b.amount > limit then",
            "test_budgets::test_calls_begin_until_the_limit_is_reserved_and_then_wait",
        ),
        (
            "the last call that fits does not",
            "or spent + b.amount > limit then",
            "or spent + b.amount >= limit then",
            "test_budgets::test_what_is_spent_in_the_end_refuses",
        ),
        (
            "a call that costs nothing begins without a limit",
            "elseif spent >= limit or spent + b.amount > limit then",
            "elseif spent + b.amount > limit then",
            "test_budgets::test_a_limit_that_people_set_counts_for_the_period_or_for_every_one",
        ),
        (
            "who asks again reserves again",
            "b.found = e and e.open and e",
            "b.found = false",
            "test_budgets::test_a_call_that_asks_again_is_the_same_reservation",
        ),
        (
            "who asks again has no longer lease",
            "math.max(e.till, till)",
            "e.till",
            "test_budgets::test_a_call_that_asks_again_is_the_same_reservation",
        ),
        (
            "attempts share a name",
            "'call:' .. want.zone .. ' ' .. (plan.name or '')",
            "'call:' .. want.zone .. ' ' .. match(plan.name or '', '^[^/]*')",
            "test_budgets::test_another_attempt_is_another_reservation",
        ),
        (
            "settled twice counts twice",
            "if e and e.state == 's' then",
            "if false then",
            "test_budgets::test_the_cost_takes_the_place_of_the_reservation",
        ),
        ("free by time", "      spend(b, e.label, e.amount)\n", "", _IN_FULL),
        ("what counted by its lease counts twice", "cost - (e and e.state == 'l' and e.amount or 0)", "cost", _IN_FULL),
        (
            "the end of a lease ends them all",
            "if e and e.open and e.till <= now() then",
            "if e and e.open then",
            "test_budgets::test_each_lease_ends_by_itself",
        ),
        (
            "no later lease ends",
            "first = math.min(first or e.till, e.till)",
            "first = first",
            "test_budgets::test_each_lease_ends_by_itself",
        ),
        (
            "a call without an answer costs nothing",
            "cost < 0 and (e and e.amount or b.ask.amount) or cost",
            "math.max(0, cost)",
            "test_budgets::test_a_call_without_an_answer_counts_in_full",
        ),
        (
            "who asks again waits anew",
            "if since == 0 or since >= 1e14 then",
            "if true then",
            "test_budgets::test_how_long_a_call_waits_is_answered_until_it_is_woken",
        ),
        (
            "what is not found does not count",
            "if e and e.state == 's' then",
            "if not e or e.state == 's' then",
            "test_budgets::test_a_call_that_a_failover_has_forgotten_counts_all_the_same",
        ),
        ("others begin beside an unknown price", "get(b, 'alone:' .. b.label) > 0 or b.alone", "b.alone", _ALONE),
        ("an unknown price begins beside others", "or b.alone and get(b, 'flying:' .. b.label) > 0", "", _ALONE),
        ("an unknown price is alone for good", "    set(b, 'alone:' .. e.label, 0)\n", "", _ALONE),
        (
            "the largest call of the last period is forgotten",
            "get(b, 'largest:' .. (want.prior or '')))",
            "0)",
            "test_budgets::test_an_amount_is_at_least_that_of_the_largest_call_unless_it_was_declared",
        ),
        (
            "a declared amount is raised",
            "(want.fixed or known == 0) and",
            "known == 0 and",
            "test_budgets::test_an_amount_is_at_least_that_of_the_largest_call_unless_it_was_declared",
        ),
        (
            "a dear call closes the next period",
            "get(b, 'largest:' .. (want.prior or ''))), limit_of(b))",
            "get(b, 'largest:' .. (want.prior or ''))))",
            "test_budgets::test_a_call_that_was_dearer_than_the_limit_closes_no_later_period",
        ),
        (
            "the function's clock chooses the period",
            "while chosen > 1 and want.periods[chosen].begins_ms > now() do\n    chosen = chosen - 1\n  end",
            "chosen = math.min(2, chosen)",
            "test_budgets::test_the_stores_clock_chooses_the_period",
        ),
        (
            "a call settles in the period of its end",
            "if want.over and e and e.label ~= b.label then",
            "if false then",
            "test_budgets::test_a_call_settles_in_the_period_in_which_it_has_reserved",
        ),
        (
            "some budgets of a call are reserved without the others",
            "if one ~= 'granted' and outcome",
            "if one == 'granted' then\n      grant(all[at])\n      write(all[at])\n    elseif outcome",
            "test_budgets::test_a_call_with_several_budgets_reserves_in_all_or_in_none",
        ),
        (
            "the first refusal counts",
            "and outcome ~= 'used_up' and one ~= outcome then",
            "and outcome == 'granted' then",
            "test_budgets::test_a_call_with_several_budgets_reserves_in_all_or_in_none",
        ),
        (
            "a raise lowers",
            "math.max(want.raised, get(b, 'raised:' .. b.label))",
            "want.raised",
            "test_budgets::test_a_raise_never_lowers",
        ),
        (
            "a raise lowers a higher limit of a call's own",
            "return math.max(tonumber(limit), get(b, 'raised:' .. b.label))",
            "return get(b, 'raised:' .. b.label) > 0 and get(b, 'raised:' .. b.label) or tonumber(limit)",
            "test_budgets::test_a_raise_never_lowers",
        ),
        (
            "woken where there is no room",
            "if fits < 1 or",
            "fits = math.max(1, fits)\n  if",
            "test_budgets::test_who_waits_longest_is_woken_as_far_as_there_is_room",
        ),
        (
            "whoever was woken waits no more",
            "if times == 3 and pause > 0 then",
            "if times == 1 then",
            "test_budgets::test_who_does_not_ask_is_woken_again",
        ),
        (
            "woken for a place that is taken",
            "if b.known and plan.note ~= '' then",
            "if false then",
            "test_budgets::test_who_has_room_waits_no_more",
        ),
        (
            "who fails waits all the same",
            " and (outcome == 'busy' or b.ask.waits) then",
            " then",
            "test_budgets::test_who_is_refused_waits_for_a_raise_unless_it_fails",
        ),
        (
            "a call that is over answers a question",
            "and (times < 4 or pause == 0) then",
            "then",
            "test_budgets::test_a_question_is_answered_by_a_raise_alone",
        ),
        (
            "a share is told again",
            "if 100 * was < share * limit and",
            "if",
            "test_budgets::test_shares_of_the_limit_are_told_once",
        ),
        (
            "a limit for every period expires",
            "and kept_ms > 0 and not b.values.limit then",
            "then",
            "test_budgets::test_a_limit_set_before_the_first_call_counts",
        ),
        (
            "sums of calls in flight are forgotten",
            "old < b.oldest and get(b, 'flying:' .. old) == 0 then",
            "old < b.oldest then",
            "test_budgets::test_a_hash_keeps_what_two_periods_need",
        ),
    )
)
