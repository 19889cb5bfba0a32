"""Defects of what starts jobs, of retries, deletions and tombstones, and of busy sessions and what is said in them."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine import job_retry as retrying
from baton.engine import lifecycle
from baton.engine.commit import claiming, operations
from baton.engine.commit.answers import Claim
from baton.engine.commit.draft import Draft
from baton.engine.commit.patch import Patch as WrittenPatch
from baton.engine.effects import Decision
from baton.engine.job_retry import EndedJob
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.server.api.session_line import Sessions
from baton.store.redis.admission import Admission
from baton.store.redis.tree.writes import Writes
from baton.worker.commands import cancel, once, schedule
from baton.worker.commands import retry as retry_command
from baton.worker.commands.backup import Backup
from baton.worker.commands.submit import SubmitJob
from baton.worker.runtime import app_events, batches
from baton_events.schema import Retrial
from tests.simulation import plan
from tests.simulation.invocation import CURRENT
from tests.simulation.planting import around, constant, defects, given, idle, replaced

_Named = Callable[[str, str], str]


def _event_of_each_delivery(named: _Named, event_id: str, handler: str) -> str:
    return named(f"{event_id} {CURRENT.get().number}", handler)


def _tick_of_each_delivery(named: _Named, schedule_id: str, message_id: str) -> str:
    return named(schedule_id, f"{message_id} {CURRENT.get().number}")


def _whichever_run(retry: Callable[..., Any], ended: EndedJob, command: Retrial, now_ms: int) -> Any:
    return retry(ended, replace(command, run=ended.job.run), now_ms)


def _all_of_the_turn(ended: EndedJob) -> list[CallRecord]:
    return [call for call in ended.calls if call.turn == ended.job.turn]


def _forgetting_nothing(retry: Callable[..., Decision], *arguments: Any) -> Decision:
    decision = retry(*arguments)
    return replace(decision, changes=replace(decision.changes, forgets=())) if decision.changes else decision


def _in_any_run(commit: Callable[..., Any], draft: Draft, claim: Claim, *rest: Any) -> Any:
    job = draft.jobs.get(claim.job_id)
    # Nor is it compared when a turn's work item was added: that alone keeps most of these out.
    return commit(draft, replace(claim, run=job.run, since_ms=0) if job else claim, *rest)


async def _sure_of_itself(self: Backup) -> None:
    """Take the backup message back, however late."""
    await self._emitter.cancel(self.relay_id)


async def _only_the_first(self: Sessions, jobs: list[Any], by: str, **_named: Any) -> list[Any]:
    """Cancel the running one, and forget those in line."""
    return [(await self._container.commands.cancel(job, by)).job for job in jobs[:1]]


async def _interrupting_nobody(
    submit: Callable[..., Any], self: Sessions, job: Any, task: Any, when_busy: str = "queue", **named: Any
) -> Any:
    return await submit(self, job, task, "reject" if when_busy == "reject" else "queue", **named)


async def _asked_anew(_self: Any, _name: str, value: str) -> str:
    """Forget what was chosen first."""
    return value


def _told_again(tell: Callable[..., None], draft: Draft, job_id: str) -> None:
    """Tell it, and note nowhere that it is told."""
    before = draft.messages.get(job_id, {})
    tell(draft, job_id)
    for at, entry in before.items():
        draft.put_message(job_id, at, entry)


def _forgetting_who_was_there(create: Callable[..., Any], draft: Draft, *rest: Any) -> Any:
    draft.tombstone = None
    return create(draft, *rest)


DEFECTS = (
    *defects(
        plan.CRON_SEEDS,
        each_time_starts_one_job={
            "each delivery of a schedule's message starts a job": around(
                schedule, "scheduled_job_id", _tick_of_each_delivery
            )
        },
    ),
    *defects(
        plan.EVENT_SEEDS,
        each_app_event_starts_one_job={
            "each delivery of an app event starts a job": around(app_events, "event_job_id", _event_of_each_delivery)
        },
        each_batched_event_is_in_one_batch={
            "each delivery of an app event joins the newest batch": replaced(
                batches, "note_of_batch", lambda handler: f"{handler} {CURRENT.get().number}"
            ),
            "the late copy of an app event closes no batch": around(
                batches.Batches, "join", lambda join, *arguments, **_closes: join(*arguments, closes=False)
            ),
        },
        a_failed_handler_is_a_dead_letter={
            "a handler's failure is followed up by nothing": replaced(
                lifecycle, "after_end", lambda decision, _now_ms: decision
            )
        },
    ),
    *defects(
        plan.ONCE_SEEDS,
        a_key_has_one_job={
            "each event of a key is another one": around(
                once, "once_event_id", lambda named, name, turn: named(f"{name} {CURRENT.get().number}", turn)
            )
        },
    ),
    *defects(
        plan.RETURNING_SEEDS,
        each_retry_begins_one_run={
            "a retry that is told twice begins two runs": around(retry_command, "retry", _whichever_run),
            "what was begun in an earlier run is committed in a later one": around(operations, "commit", _in_any_run),
        },
        a_finished_call_does_not_run_again={
            "a retry makes finished calls again": (
                replaced(retrying, "_to_run", _all_of_the_turn),
                constant(retrying, "next_call_status", CallStatus.QUEUED),
                around(retry_command, "retry", _forgetting_nothing),
            )
        },
        a_live_job_does_not_expire={"the data of a retried job still expires": constant(Writes, "_persist", None)},
        what_is_deleted_stays_so={
            "a backup message brings a deleted job back": (
                idle(SubmitJob, "is_gone", answer=False),
                around(operations, "create", _forgetting_who_was_there),
                around(WrittenPatch, "missing", lambda missing, self, *keys: missing(self, keys[0], keys[0])),
            )
        },
        a_cancellation_is_of_the_run_that_was_seen={
            "a cancellation cancels a later run": given(cancel, "cancel", 1, run=1_000)
        },
    ),
    *defects(
        plan.SESSION_SEEDS,
        who_is_refused_does_not_run={
            "the backup message of a refused job stays": idle(Backup, "refuse"),
            "a late refusal is thought to be sure": replaced(Backup, "refuse", _sure_of_itself),
        },
        who_interrupts_is_next={
            "an interruption leaves those in line": replaced(Sessions, "stop", _only_the_first),
            "an interruption cancels nobody": around(Sessions, "submit", _interrupting_nobody),
        },
    ),
    *defects(
        plan.STEERING_SEEDS,
        what_is_said_is_told={
            "what is said in the last turn is not told": replaced(
                operations, "steered", lambda _tree, _job_id, changes: changes
            )
        },
        a_message_is_told_once={
            "what is said is told in each turn": around(claiming, "_add_messages", _told_again),
            "a message that comes again goes to whichever job runs": replaced(Admission, "first_value", _asked_anew),
        },
    ),
)
