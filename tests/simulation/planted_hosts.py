"""Defects that show where a process dies or hangs, a host or a tenant has limits, or the store is away for long."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from baton.engine import approvals, attempts, tool_call, turn
from baton.engine.commit.stored_bytes import BytesAdded, Keeping
from baton.engine.state import Job, Usage
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue.dispatch import Outcome
from baton.sdk.tools.running_calls import RunningCalls
from baton.server.api.jobs import job as jobs_api
from baton.worker import container
from baton.worker.admission.stored_quota import StoredQuota
from baton.worker.commands.backup import Backup
from baton.worker.executors import bounded, remembering
from baton.worker.recovery import redelivery
from baton.worker.recovery.outage import StoreAway
from baton.worker.runtime.policy import Suspects
from baton_events import emitter
from baton_events.errors import StoreError
from baton_events.messages import Flow
from baton_events.schema import Submission
from tests.simulation import plan
from tests.simulation.blocking import Threads
from tests.simulation.constants import USUAL_PROMPT_LIMIT_BYTES
from tests.simulation.kept import Kept
from tests.simulation.planting import around, constant, defects, idle, replaced

_COPIES = 7
_FEW = 2
_check = StoredQuota.check
_REQUESTED: dict[str, StoredQuota] = {}


@contextmanager
def _all_at_once(_self: Suspects, _item: Any) -> Iterator[int]:
    yield 0


def _with_deaths_of_others(
    following: Callable[..., WorkItem], item: WorkItem, kind: ItemKind, *rest: Any, **named: Any
) -> WorkItem:
    then = following(item, kind, *rest, **named)
    return replace(then, died=then.died + item.abandoned) if kind is ItemKind.CALL else then


async def _in_a_pool(in_thread: Any, self: Threads, function: Callable[..., Any], *arguments: Any) -> Any:
    """As asyncio's own executor does it: so many threads, and whoever comes next waits for one."""
    async with vars(self).setdefault("pool", asyncio.Semaphore(_FEW)):
        return await in_thread(self, function, *arguments)


async def _by_its_own_clock(arm: Callable[..., Any], self: StoreAway, _after_ms: int = 0) -> None:
    await arm(self)


async def _requesting_nothing(self: StoreAway, at_ms: int) -> Outcome:
    try:
        await self._admission.may_request_sweep(at_ms)
    except StoreError:
        await self._arm(at_ms)
    return Outcome("looked")


def _with_blanks(encode: Callable[..., str], event: Any) -> str:
    body = encode(event)
    return body + " " * len(body)


def _with_copies(view: Callable[..., dict[str, Any]], *arguments: Any, **named: Any) -> dict[str, Any]:
    found = view(*arguments, **named)
    return {**found, "copies": [json.dumps(found)] * _COPIES}


async def _checked_later(self: StoredQuota, tenant: str, size_bytes: int = 0, *, lasting_bytes: int = 0) -> None:
    _REQUESTED[tenant] = self


async def _checking(send: Callable[..., Any], self: Backup) -> Any:
    """Ask once the backup message is published, which comes all the same."""
    message_id = await send(self)
    if isinstance(self.command, Submission):
        await _check(_REQUESTED[self.job.tenant], self.job.tenant)
    return message_id


def _counted_twice(self: Keeping, job: Job, usage: Usage) -> BytesAdded:
    """Leave what the job was submitted with."""
    return self.moved([(job.finished_at_ms or 0, usage.written)])


DEFECTS = (
    *defects(
        plan.APPROVING_SEEDS,
        a_call_has_the_deaths_of_its_own_attempts={
            "who dies taking in a failure or a decision counts as the call": tuple(
                around(module, "following", _with_deaths_of_others) for module in (tool_call, approvals)
            )
        },
    ),
    *defects(
        0,
        a_step_keeps_its_deaths={
            "who was overtaken leaves the deaths that it knows": around(
                attempts, "with_deaths", lambda _original, following, _done: following
            )
        },
        the_script_does_what_its_twin_does={
            "the store's script counts, its twin does not": around(
                Kept, "script", lambda script, self: script(self).replace("return number == 0", "return true")
            )
        },
    ),
    *defects(
        plan.KILLING_SEEDS,
        a_call_that_kills_is_not_started_for_ever={
            "a call that kills has always another start": constant(tool_call, "no_start_left", answer=False)
        },
        a_turn_that_kills_is_not_run_for_ever={
            "a turn that kills has always another start": constant(turn, "no_start_left", answer=False)
        },
        a_death_counts_once_for_who_was_only_there={
            "steps of which a process has died are worked on together": replaced(Suspects, "turn_of", _all_at_once)
        },
    ),
    *defects(
        plan.BLOCKING_SEEDS,
        a_call_starts_with_its_claim={
            "threads are a few, which calls that hang keep": around(Threads, "__call__", _in_a_pool)
        },
        a_time_out_is_of_a_call_that_runs={
            "a call that waits for a thread has its time run out": around(Threads, "__call__", _in_a_pool)
        },
        one_copy_runs_in_a_process={
            "an attempt starts beside the one before it, which hangs": constant(RunningCalls, "_joined", None)
        },
        a_process_in_which_too_much_hangs_is_replaced={
            "a process is healthy, however many calls hang": constant(RunningCalls, "fault", "")
        },
    ),
    *defects(
        plan.AWAY_SEEDS,
        every_job_goes_on_after_an_outage={
            "nobody looks whether the store is back": idle(StoreAway, "check_later"),
            "the store is back, and no sweep is asked for": replaced(StoreAway, "check", _requesting_nothing),
            "a look goes by a clock that is behind": around(StoreAway, "_arm", _by_its_own_clock),
        },
    ),
    *defects(
        plan.CROWDED_SEEDS,
        nothing_is_spent_for_want_of_a_place={
            "a message that finds no place counts as undelivered": replaced(redelivery, "THROTTLED", frozenset[int]())
        },
        nobody_is_refused_whom_the_queue_holds_back={
            "messages do not say how many are delivered at once": constant(emitter, "_flow", Flow("all", 100))
        },
    ),
    *defects(
        plan.LIMITED_SEEDS,
        no_turn_is_given_too_much={
            "a turn is told whatever there is": constant(bounded, "prompt_too_large", None),
            "a first turn is told its whole session": replaced(remembering, "_SHARE", 1 / USUAL_PROMPT_LIMIT_BYTES),
        },
        only_a_long_job_is_too_long_to_send={
            "little is too much to tell": around(
                bounded, "prompt_too_large", lambda judge, size_bytes, most: judge(size_bytes, most // 4)
            )
        },
        a_message_fits={"an event has its job's input twice": around(emitter, "encode_event", _with_blanks)},
        an_answer_fits={"an answer has its job's input many times": around(jobs_api, "job_view", _with_copies)},
        a_function_ends_in_time={
            "a function goes on for longer than its host lets it": constant(container, "guard_ms", 10**9)
        },
    ),
    *defects(
        plan.FULL_SEEDS,
        who_is_refused_does_not_run={
            "a tenant is refused after its backup message is published": (
                replaced(StoredQuota, "check", _checked_later),
                around(Backup, "_send", _checking),
            )
        },
        what_is_counted_is_what_was_written={
            "an end counts beside its submission": replaced(Keeping, "ended", _counted_twice)
        },
    ),
)
