"""What became of a fact from outside, as whoever told it needs to know."""

from dataclasses import dataclass

from events.core.legs import Leg
from events.core.state import Job


@dataclass(frozen=True, slots=True)
class Told:
    """The job as it is now, whether this changed it, and legs to hand on.

    `refused`: why the job does not allow it, and the way out. `early`: a failover forgot what the fact is about: it is
    to be told again.
    """

    job: Job
    changed: bool
    legs: tuple[Leg, ...] = ()
    refused: str = ""
    early: bool = False
