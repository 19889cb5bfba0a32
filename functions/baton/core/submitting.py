"""What a submission decides: a new job, and how it stands with the admission."""

from msgspec.structs import replace

from baton.core import parts
from baton.core.admission import Standing, wanted
from baton.core.effects import Changes, Decision
from baton.core.happenings import Submitted
from baton.core.legs import loop_leg, wish_leg
from baton.core.limits import first_reserve
from baton.core.state import Job
from baton.core.transcript import task_entry


def submitted(happened: Submitted, now_ms: int) -> Decision:
    """A new job: its first turn is its only leg."""
    job = replace(happened.job, reserve_tokens=first_reserve(happened.job.limits))
    first = loop_leg(job.id, job.turn, 1, now_ms, job.start_at_ms)
    standing = first_standing(job, now_ms, slot=happened.slot)
    wish = () if standing.slot or standing.want == "none" else (wish_leg(job.id, standing.want, standing.lap, now_ms),)
    return Decision(
        Changes(
            job=job,
            standing=standing,
            legs=(first, *wish),
            transcript=(task_entry(happened.task),),
            parts=(parts.start(job.id),),
        )
    )


def first_standing(job: Job, now_ms: int, *, slot: bool = False) -> Standing:
    """How a new job stands with the admission: one that is to start later wants nothing yet.

    The same submission may be told before and after its start: then the later word, with the higher lap, counts.
    """
    first = loop_leg(job.id, job.turn, 1, now_ms, job.start_at_ms)
    want = wanted(Standing(), (first,), ended=False, now_ms=now_ms)
    return Standing(want, 1 if want == "slot" else 0, slot and want == "slot")
