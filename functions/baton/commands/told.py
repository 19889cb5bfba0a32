"""What became of a fact from outside, as whoever told it needs to know."""

from msgspec import Struct

from baton.core.state import Job
from baton.core.work_items import WorkItem


class Told(Struct, frozen=True):
    """The job as it is now, whether this changed it, and work items to dispatch.

    `refused`: why the job does not allow it, and the way out. `early`: a failover forgot what the fact is about: it is
    to be told again.
    """

    job: Job
    changed: bool
    items: tuple[WorkItem, ...] = ()
    refused: str = ""
    early: bool = False
