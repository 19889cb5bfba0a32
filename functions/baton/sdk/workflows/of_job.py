"""What the code of a workflow may know of its job, and of chance: the same each time that it is made again.

Must not: read a clock, or chance of the process.
"""

from collections.abc import Iterable
from random import Random  # noqa: TID251 - it is seeded by the job
from uuid import UUID

from baton.sdk.agents.runner import JobInfo


class OfJob:
    """What there is of one job.

    Attributes:
        info: the job.
        random: its stream of chance.
        reached: the changes that the code has reached first in this stretch, and that are there.
        is_new: whether the stretch runs for the first time.
    """

    def __init__(self, info: JobInfo) -> None:
        self.info = info
        self.random = Random(info.job_id)  # noqa: S311 - it has to be the same each time
        self._uuids = Random(f"{info.job_id} uuids")  # noqa: S311 - as above
        self._patched, self.reached = dict[str, bool](), list[str]()
        self._replayed, self.is_new = frozenset[str](), True

    def begin_stretch(self, replayed: Iterable[str] | None) -> None:
        """Begin the next stretch. `replayed`: what `reached` was when it ran; None: it runs for the first time."""
        self.reached, self.is_new = [], replayed is None
        self._replayed = frozenset(replayed or ())

    def uuid4(self) -> UUID:
        """Return the next UUID of the run."""
        return UUID(int=self._uuids.getrandbits(128), version=4)

    def patched(self, name: str) -> bool:
        """Return whether the run reaches a change of this name for the first time now, or did when it ran first."""
        if name not in self._patched:
            self._patched[name] = self.is_new or name in self._replayed
            self.reached += [name] if self._patched[name] else []
        return self._patched[name]
