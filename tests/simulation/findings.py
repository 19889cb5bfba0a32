"""What a run of the simulation's tests has found: kept by the tests, told below them by conftest.py."""

from dataclasses import dataclass, field

from tests.simulation.defects import Caught, table
from tests.simulation.explore import summary_of
from tests.simulation.play import Summary, table_of_crash_points
from tests.simulation.volume import Batch


@dataclass(slots=True)
class Findings:
    """The schedules of generated seeds, how many were promised, in how many seconds, and the planted defects.

    `batches`: which seeds they had, and how many of each batch were played.
    """

    summary: Summary = field(default_factory=Summary)
    wanted: int = 0
    batches: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    caught: list[Caught] = field(default_factory=list[Caught])

    def played(self, summary: Summary, seconds: float, batch: Batch) -> None:
        self.summary.add(summary)
        self.wanted += batch.schedules
        self.seconds += seconds
        self.batches.append(f"  {summary.schedules:,} of {batch.schedules:,} from seed {batch.seed} on: {batch.name}")

    def text(self) -> str:
        parts = list[str]()
        if self.summary.schedules:
            played = summary_of(self.summary, self.seconds, self.wanted)
            parts += ["\n".join([played, *self.batches]), table_of_crash_points(self.summary)]
        if self.caught:
            hits = sum(bool(one.invariant) for one in self.caught)
            parts += [f"planted defects caught: {hits} of {len(self.caught)} (defect, schedules, invariant)"]
            parts += [table(self.caught)]
        return "\n\n".join(parts)
