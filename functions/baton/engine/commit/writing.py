"""The writes of a COMMIT, or of a command, into a draft, one after the other. Usage and expiry are the store's."""

from msgspec.structs import replace

from baton.engine.commit.claiming import drop_items_of, end_jobs, give_up
from baton.engine.commit.draft import Draft
from baton.engine.effects import Changes
from baton.engine.state import Job, Usage
from baton.engine.work_items import ItemKind, loop_item
from baton.sdk.records.limits import NOTHING_USED_YET


def change(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    """Make these changes of one of the draft's jobs."""
    _change_items(draft, job_id, message_id, changes, now_ms)
    job = changes.job
    if job:
        known = draft.jobs[job_id]  # what came while this turn was at work stays
        if known.cancelling and not (job.cancelling or job.ended):  # the next one tells of it
            job = replace(job, cancelling=known.cancelling)
        if known.in_flight != job.in_flight:
            late = known.before - job.before if known.run == job.run else NOTHING_USED_YET
            job = replace(job, in_flight=known.in_flight, used=job.used + late, before=job.before + late)
        if known.begun != job.begun:
            job = replace(job, begun=known.begun)
        draft.put_job(job)
    draft.put_calls(job_id, *changes.calls)
    draft.put_results(job_id, changes.results)
    draft.add_entries(job_id, changes.transcript)
    draft.add_parts(job_id, changes.parts)
    job = draft.jobs[job_id]
    if job.model.runs_code or job.scripts or changes.took:  # it goes on whenever a call has ended
        _take_news(draft, job_id, message_id, changes, now_ms)
    if changes.admitted:
        draft.admit(job_id, message_id, now_ms)
    draft.unblock(message_id, now_ms)
    draft.settle(job_id, message_id, now_ms, changes.later_epoch)
    if changes.report:
        draft.report(changes.report.call_id, changes.report.outcome, message_id, now_ms)
    if changes.needed_until_ms:
        for record in changes.calls:
            draft.need(record.id, changes.needed_until_ms)
    if changes.spends:
        draft.add_spend(job_id, changes.spends)
    if changes.child and changes.child.job:
        create_job(draft, changes.child.job, changes.child, message_id)
        draft.put_usage(changes.child.job.id, Usage(updated_ms=now_ms))
    if changes.ends:
        end_jobs(draft, f"{job_id}.", changes.closing, message_id, now_ms)


def _take_news(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    """Note what has ended and what a turn has taken. What is left is for the next turn, added unless there is one.

    Nothing else begins a turn of code, so each end is told once, and none is forgotten.
    """
    for call_id in changes.ended:
        draft.note_end(call_id, now_ms)
    draft.forget_ends(changes.took)
    if changes.gives_up:
        give_up(draft, job_id, changes, message_id, now_ms)
    job = draft.jobs[job_id]
    is_cancelled = job.cancelling is not None and not job.cancelling.is_seen
    if not job.ended and (is_cancelled or draft.news(job_id)) and not draft.has_turn(job_id):
        draft.put_items(replace(loop_item(job_id, job.turn + 1, 1, now_ms), relay_id=message_id))


def _change_items(draft: Draft, job_id: str, message_id: str, changes: Changes, now_ms: int) -> None:
    if changes.begins_again:
        draft.begin_again(job_id, changes.forgets, from_start=bool(changes.job and not changes.job.stretch))
    held_until_ms = drop_items_of(draft, job_id) if changes.ends else 0
    for skip in changes.skips:
        if skip.item_key in draft.items:
            draft.skip(skip)
            draft.drop_items(skip.item_key)
    new = [
        replace(item, relay_id="" if item.after and item.kind is ItemKind.CALL else message_id)
        for item in changes.items
        if item.key not in draft.items
    ]
    if held_until_ms:  # a workspace is released when no step can work there any more
        releases = [item for item in new if item.kind is ItemKind.RELEASE]
        others = [item for item in new if item.kind is not ItemKind.RELEASE]
        new = [*others, *[replace(item, not_before_ms=held_until_ms) for item in releases]]
    join = changes.join
    groups = {item.group for item in (*draft.items.values(), *new)} if join else ()
    if join and join.group not in groups and join.item.key not in draft.items:
        new.append(replace(join.item, relay_id=message_id))
    draft.put_items(*new)
    waits = next((item.key for item in changes.items if item.kind is ItemKind.WAIT), "")
    if waits:
        draft.answer_early(draft.items[waits], message_id, now_ms)


def create_job(draft: Draft, job: Job, changes: Changes, message_id: str) -> None:
    """Put a new job."""
    draft.put_job(job)
    if changes.slot_state:
        draft.put_slot_state(job.id, changes.slot_state)
    draft.put_items(*[replace(item, relay_id=message_id) for item in changes.items])
    draft.put_calls(job.id, *changes.calls)
    draft.add_entries(job.id, changes.transcript)
    draft.add_parts(job.id, changes.parts)
