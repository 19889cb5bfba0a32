"""Defects of retries, deletions and tombstones."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.commands import cancel
from baton.commands import retry as retry_command
from baton.commands.submit import SubmitJob
from baton.engine import job_retry as retrying
from baton.engine.commit import operations
from baton.engine.commit.answers import Claim
from baton.engine.commit.patch import Patch as WrittenPatch
from baton.engine.job_retry import EndedJob
from baton.engine.state import CallRecord
from baton.engine.step_results import Cancelled, Retried
from baton.engine.transitions import CallStatus
from baton.storage.redis.tree_writes import Writes
from tests.fakes import Tree
from tests.simulation.planting import Defect, Patch, constant, idle


def in_returning_worlds(name: str, invariant: str, *patches: Patch) -> Defect:
    """A defect that is looked for in worlds in which somebody comes back to most jobs."""
    return Defect(name, invariant, patches, returns=True)


def _whichever_run(retry: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ended, step_result, now_ms: retry(ended, _of_run(step_result, ended), now_ms)


def _of_run(step_result: Retried, ended: EndedJob) -> Retried:
    return replace(step_result, run=ended.job.run)


def _all_of_the_turn(_original: Any) -> Any:
    def to_run(ended: EndedJob) -> list[CallRecord]:
        return [call for call in ended.calls if call.turn == ended.job.turn]

    return to_run


def _forgetting_nothing(retry: Callable[..., Any]) -> Callable[..., Any]:
    def kept(*arguments: Any) -> Any:
        decision = retry(*arguments)
        return replace(decision, changes=replace(decision.changes, forgets=())) if decision.changes else decision

    return kept


def _over_tombstones(create: Callable[..., Any]) -> Callable[..., Any]:
    return lambda tree, *rest: create(replace(tree, tombstone=None), *rest)


def _one_key_alone(missing: Callable[..., None]) -> Callable[..., None]:
    return lambda self, *keys: missing(self, keys[0])


def _of_any_run(_original: Any) -> Any:
    return lambda by, _run, _rolls_back: Cancelled(by, run=1_000)


def _in_any_run(commit: Callable[..., Any]) -> Callable[..., Any]:
    def committing(tree: Tree, claim: Claim, *rest: Any) -> Any:
        job = tree.jobs.get(claim.job_id)
        # Nor is it compared when a turn's work item was added: that alone keeps most of these out.
        return commit(tree, replace(claim, run=job.run, since_ms=0) if job else claim, *rest)

    return committing


DEFECTS = (
    in_returning_worlds(
        "a retry that is told twice begins two runs",
        "each_retry_begins_one_run",
        Patch(retry_command, "retry", _whichever_run),
    ),
    in_returning_worlds(
        "a retry makes finished calls again",
        "a_finished_call_does_not_run_again",
        Patch(retrying, "_to_run", _all_of_the_turn),
        constant(retrying, "next_call_status", CallStatus.QUEUED),
        Patch(retry_command, "retry", _forgetting_nothing),
    ),
    in_returning_worlds(
        "the data of a retried job still expires", "a_live_job_does_not_expire", constant(Writes, "_persist", None)
    ),
    in_returning_worlds(
        "a backup message brings a deleted job back",
        "what_is_deleted_stays_so",
        idle(SubmitJob, "is_gone", answer=False),
        Patch(operations, "create", _over_tombstones),
        Patch(WrittenPatch, "missing", _one_key_alone),
    ),
    in_returning_worlds(
        "a cancellation cancels a later run",
        "a_cancellation_is_of_the_run_that_was_seen",
        Patch(cancel, "Cancelled", _of_any_run),
    ),
    in_returning_worlds(
        "what was begun in an earlier run is committed in a later one",
        "each_retry_begins_one_run",
        Patch(operations, "commit", _in_any_run),
    ),
)
