"""Schedules made by hand, for stories that a seed tells too seldom: the tests play them besides the seeds.

Each is a family: the same story with its moments shifted a little, so that a change of the product that shifts them
too does not silently lose it; the family's purpose is planted as a defect (planted_slots.py), and must be caught.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from tests.simulation.jobs import JobPlan
from tests.simulation.operators import stopped_and_started
from tests.simulation.outages import Outage
from tests.simulation.plan import Plan
from tests.simulation.scripts import CallPlan, Message, Script, TurnPlan, WaitPlan

_LONG = TurnPlan(calls=(CallPlan("work", 100, seconds=25.0), CallPlan("work", 101, seconds=25.0)))

_NAP = TurnPlan(calls=(CallPlan("nap", 100, wait=WaitPlan(100.0)),))


def _job(index: int, at: float, *turns: TurnPlan, repeats: int = 3) -> JobPlan:
    return JobPlan(index, f"agent-{index}", "ada", at, Script((*turns, TurnPlan(pieces="done"))), repeats=repeats)


def slots_are_raised() -> Iterator[Plan]:
    """One slot, two jobs; a deployment raises the number of slots, and no word comes before the next sweep."""
    for seed in range(5):
        jobs = (_job(0, 0.0, _LONG, _LONG, _LONG, _LONG), _job(1, 5.0))
        yield Plan(seed, jobs, inline=seed % 2 == 1, slots=2, one_slot_until=10.0 + seed)


def a_job_is_created_while_a_sweep_looks() -> Iterator[Plan]:
    """A job takes its place in the slot table, and a long outage keeps everybody from creating it.

    The last callback of its backup message comes with the last callback of a sweep, which finds an old entry of an
    unknown job and takes it off the slot table, in the moment in which the backup message takes the same place once
    more.
    """
    for seed in range(10):
        outage = Outage("store", 1.0, 700.0)
        rates = {"slow-admission": 1.0}
        job = replace(_job(0, 0.0, repeats=0), when_busy="reject")  # which is asked for before it is created
        yield Plan(seed, (job,), rates=rates, outages=(outage,), calm_at=3_000.0, slots=1)


def an_outage_outlasts_callbacks() -> Iterator[Plan]:
    """A failover may forget an accepted job; then the store is away until its backup, and the callback, are dead."""
    begins = {seed: 8.0 + seed / 2 for seed in range(20)}
    begins[234] = 20.0  # the job is created once more while a sweep takes out what was left of it
    for seed, begins_at in begins.items():
        outage = Outage("store", begins_at, 2_600.0)
        rates = {"failover": 0.2, "crash": 0.02, "error": 0.02}
        yield Plan(seed, (_job(0, 0.0, _LONG),), inline=seed % 2 == 1, rates=rates, outages=(outage,), calm_at=4_000.0)


def only_a_backup_looks() -> Iterator[Plan]:
    """A job is told to a store that comes back late, and then a failover may forget what its only message did."""
    for seed in range(1_266, 1_272):
        rates = {"failover": 0.05, "crash": 0.02, "error": 0.02}
        yield Plan(seed, (_job(0, 0.0, _LONG),), rates=rates, outages=(Outage("store", 0.5, 2_600.0),), calm_at=4_000.0)


def an_outcome_is_forgotten() -> Iterator[Plan]:
    """Somebody completes an operation that has hours left, and soon after a failover may forget that."""
    for seed in range(20):
        wait = WaitPlan(20_000.0, words=(Message(40.0 + 5 * seed, 0),))
        job = _job(0, 0.0, TurnPlan(calls=(CallPlan("order", 100, wait=wait),)))
        yield Plan(seed, (job,), rates={"failover": 0.1}, calm_at=300.0, waits=True, waits_seconds=20_000.0)


def a_call_and_its_outcome_are_forgotten() -> Iterator[Plan]:
    """A failover may forget a call with what was told of it; the job has to wait for its slot before it calls again."""
    busy = TurnPlan(calls=(CallPlan("work", 100, how="error", times=3, seconds=25.0),))
    for seed in range(3):
        call = CallPlan("order", 100, seconds=3.0, wait=WaitPlan(2.0, words=(Message(0.2 + seed / 20, 1),)))
        jobs = (
            _job(0, 0.0, TurnPlan(calls=(call,))),
            *(replace(_job(n, 1.0, *[busy] * 15), priority=9) for n in range(1, 11)),
        )
        rates = {"failover": 0.08}
        yield Plan(seed, jobs, rates=rates, calm_at=20.0, slots=1, waits=True, waits_seconds=4_000.0)


def jobs_below_and_waits_side_by_side() -> Iterator[Plan]:
    """A turn starts several jobs, each of which requests a slot, and waits for several times to come."""
    helper = Script((TurnPlan(pieces="done"),))
    naps = tuple(CallPlan("nap", 100 + n, wait=WaitPlan(600.0 + n)) for n in range(5))
    requests = tuple(CallPlan("ask", 105 + n, wait=WaitPlan(name="helper")) for n in range(5))
    for seed in range(4):
        job = replace(_job(0, 0.0, TurnPlan(calls=(*naps, *requests))), helpers=(("helper", helper),))
        yield Plan(seed, (job,), inline=seed % 2 == 1, slots=6, waits=True, waits_seconds=600.0)


def a_job_wakes_up_behind_a_new_one() -> Iterator[Plan]:
    """A job that has run waits for a time, which comes while others work and a new one is in line.

    In the last ones the new one has a higher priority, and then another tenant, which holds no slot.
    """
    for seed in range(8):
        new, others = _job(2, 10.0 + seed), [_job(1, 5.0, *[_LONG] * 4)]
        if seed in (4, 5):
            new = replace(new, priority=9)
        elif seed in (6, 7):
            new, others = replace(new, tenant="bob"), [*others, _job(3, 6.0, *[_LONG] * 8)]
        jobs = (_job(0, 0.0, _NAP), *others, new)
        yield Plan(seed, jobs, inline=seed % 2 == 1, slots=len(others), waits=True, waits_seconds=200.0)


def a_job_sleeps_in_its_session() -> Iterator[Plan]:
    """Another one of its session waits for its end: a younger one, or an older one that is not to begin at once."""
    for seed in range(4):
        jobs = [_job(0, 0.0, _NAP), _job(1, 10.0)]
        if seed in (2, 3):
            jobs = [replace(_job(0, 0.0), delay_seconds=90), _job(1, 5.0, _NAP)]
        plans = tuple(replace(job, session="shared") for job in jobs)
        yield Plan(seed, plans, inline=seed % 2 == 1, slots=1, waits=True, waits_seconds=200.0)


def an_attempt_comes_after_its_slot() -> Iterator[Plan]:
    """A call is tried again when its job has no slot; its message requests one, and an error keeps it from going on."""
    turns = [TurnPlan(calls=(CallPlan("knock", 100 * turn, how="fail", times=1),)) for turn in range(1, 9)]
    for seed in range(12):
        yield Plan(seed, (_job(0, 0.0, *turns),), inline=seed % 2 == 1, rates={"throttle": 0.15}, calm_at=2_000.0)


def a_message_is_rolled_back_whose_operation_waits() -> Iterator[Plan]:
    """A chat's call goes on in the background for hours, and works on another when somebody rolls its message back."""
    order = CallPlan("order", 100, wait=WaitPlan(20_000.0))
    for seed in range(2):
        chat = replace(_job(0, 0.0, TurnPlan(calls=(order,)), _LONG, _LONG), session="shared", chats=True)
        next_one = replace(_job(1, 20.0 + seed), session="shared", chats=True, when_busy="rollback")
        yield Plan(seed, (chat, next_one), inline=seed % 2 == 1, waits=True, waits_seconds=20_000.0)


def a_message_is_rolled_back_whose_operation_is_over() -> Iterator[Plan]:
    """A session is to go on with an outcome, behind a message of a higher priority that rolls back what asked for it.

    Calls are slow now and then: the session may go on before the word of the rollback comes.
    """
    order = CallPlan("order", 100, wait=WaitPlan(5.0))
    for seed in range(12):
        chat = replace(_job(0, 0.0, TurnPlan(calls=(order,)), _LONG, _LONG), session="shared", chats=True)
        next_one = replace(_job(1, 20.0), session="shared", chats=True, when_busy="rollback", priority=9)
        rates = {"pause": 0.15, "lag": 0.5}
        yield Plan(
            seed, (chat, next_one), inline=seed % 2 == 1, waits=True, waits_seconds=5.0, rates=rates, calm_at=2_000.0
        )


def a_chat_follows_one_that_was_too_long() -> Iterator[Plan]:
    """Chats fail since their calls are too much to be told at once; the next one's first turn is told of them."""
    turns = [TurnPlan(calls=tuple(CallPlan("work", 100 * turn + at) for at in range(8))) for turn in (1, 2, 3, 4)]
    for seed in (14, 25, 34, 45):  # of the smallest limits
        jobs = [_job(0, 0.0, *turns), _job(1, 60.0, *turns), _job(2, 120.0)]
        reading = (replace(job, script=replace(job.script, reads_history=True)) for job in jobs)
        chats = tuple(replace(job, session="shared", chats=True) for job in reading)
        yield Plan(seed, chats, inline=seed % 2 == 1, limited=True)


def sweeps_go_page_by_page() -> Iterator[Plan]:
    """Two jobs are a page of a sweep, and the store fails often: pages come again, and request the next ones."""
    for seed in range(6):
        jobs = tuple(_job(index, float(index), _LONG, _LONG, _LONG) for index in range(7))
        yield Plan(seed, jobs, inline=seed % 2 == 1, rates={"error": 0.1, "crash": 0.05}, calm_at=2_000.0, page=2)


def calls_through_few_places(jobs: int, calls: int) -> Plan:
    """Many published calls at once, and a host that runs three functions and answers 429 beyond."""
    turn = TurnPlan(calls=tuple(CallPlan("work", 100 + n, seconds=20.0) for n in range(calls)))
    plans = tuple(_job(index, 0.0, turn, repeats=0) for index in range(jobs))
    return Plan(1, plans, slots=jobs, calm_at=1.0, places=3)


def a_long_chain_meets_its_host_s_limit() -> Iterator[Plan]:
    """A job that could go on in place for longer than the host of its function lets it."""
    for seed in range(2):
        yield Plan(seed, (_job(0, 0.0, *[_LONG] * 14),), inline=True, limited=True)


def a_turn_is_forgotten_and_decided_otherwise() -> Iterator[Plan]:
    """A failover forgets a turn that a process knows; it is decided anew, otherwise, and that process reads on."""
    turns = tuple(TurnPlan(calls=(CallPlan("work", 100 * turn, seconds=3.0),)) for turn in range(1, 7))
    script = Script((*turns, TurnPlan(pieces="done")), reads_history=True, fickle=True)
    for seed in range(24):
        job = replace(_job(0, 0.0), script=script)
        yield Plan(seed, (job,), inline=seed % 2 == 1, rates={"failover": 0.05}, calm_at=2_000.0)


_PLAIN = (
    slots_are_raised,
    a_job_is_created_while_a_sweep_looks,
    an_outage_outlasts_callbacks,
    only_a_backup_looks,
    a_long_chain_meets_its_host_s_limit,
    an_attempt_comes_after_its_slot,
    a_turn_is_forgotten_and_decided_otherwise,
    a_chat_follows_one_that_was_too_long,
)
_WAITING = (
    an_outcome_is_forgotten,
    a_call_and_its_outcome_are_forgotten,
    jobs_below_and_waits_side_by_side,
    a_job_wakes_up_behind_a_new_one,
    a_job_sleeps_in_its_session,
    a_message_is_rolled_back_whose_operation_waits,
    a_message_is_rolled_back_whose_operation_is_over,
)


@cache
def directed(*, waits: bool = False) -> dict[str, Plan]:
    """Make them once in a process: each defect asks for one of them."""
    stories = (*(_WAITING if waits else _PLAIN), stopped_and_started, sweeps_go_page_by_page)
    named = {f"{story.__name__} {at}": plan for story in stories for at, plan in enumerate(story())}
    return {name: plan for name, plan in named.items() if plan.waits is waits}
