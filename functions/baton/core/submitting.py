"""What a submission decides: a new job, and how it stands with the admission."""

from msgspec.structs import replace

from baton.core import parts
from baton.core.admission import SlotState, wanted
from baton.core.effects import Changes, Decision
from baton.core.limits import first_reserve
from baton.core.state import Job
from baton.core.step_results import Submitted
from baton.core.transcript import task_entry
from baton.core.work_items import loop_item, slot_request_item


def submitted(step_result: Submitted, now_ms: int) -> Decision:
    """A new job: its first turn is its only work item."""
    job = replace(step_result.job, reserve_tokens=first_reserve(step_result.job.limits))
    first = loop_item(job.id, job.turn, 1, now_ms, job.start_at_ms)
    slot_state = first_slot_state(job, now_ms, slot=step_result.slot)
    slot_request = (
        ()
        if slot_state.slot or slot_state.want == "none"
        else (slot_request_item(job.id, slot_state.want, slot_state.epoch, now_ms),)
    )
    return Decision(
        Changes(
            job=job,
            slot_state=slot_state,
            items=(first, *slot_request),
            transcript=(task_entry(step_result.task),),
            parts=(parts.start(job.id),),
        )
    )


def first_slot_state(job: Job, now_ms: int, *, slot: bool = False) -> SlotState:
    """How a new job stands with the admission: one that is to start later wants nothing yet.

    The same submission may be told before and after its start: then the later word, with the higher request epoch,
    counts.
    """
    first = loop_item(job.id, job.turn, 1, now_ms, job.start_at_ms)
    want = wanted(SlotState(), (first,), ended=False, now_ms=now_ms)
    return SlotState(want, 1 if want == "slot" else 0, slot and want == "slot")
