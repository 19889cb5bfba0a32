"""What a run of the simulation's tests has found: kept by the tests, told below them by conftest.py."""

from dataclasses import dataclass, field

from tests.simulation import crash_points
from tests.simulation.defects import Caught, table
from tests.simulation.explore import told
from tests.simulation.play import Summary


@dataclass(slots=True)
class Findings:
    """The schedules of generated seeds, how many were to be played, in how many seconds, and the planted defects."""

    summary: Summary = field(default_factory=Summary)
    wanted: int = 0
    seconds: float = 0.0
    caught: list[Caught] = field(default_factory=list[Caught])

    def played(self, summary: Summary, seconds: float, wanted: int) -> None:
        """More schedules were played, of so many."""
        self.summary.add(summary)
        self.wanted += wanted
        self.seconds += seconds

    def text(self) -> str:
        """All of it, for people; empty if there is nothing."""
        parts = list[str]()
        if self.summary.schedules:
            parts += [told(self.summary, self.seconds, self.wanted), crash_points.table(self.summary)]
        if self.caught:
            hits = sum(bool(one.invariant) for one in self.caught)
            parts += [f"planted defects caught: {hits} of {len(self.caught)} (defect, schedules, invariant)"]
            parts += [table(self.caught)]
        return "\n\n".join(parts)
