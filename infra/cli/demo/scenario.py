"""The jobs that `baton demo` can show.

Explicit lines: to add one, name an agent of `functions.agents:registry` and a task that shows it well.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """A job to submit."""

    job_type: str
    task: str


SCENARIOS = {
    "research": Scenario("research", "How did the Fresnel lens change lighthouses, and what was used before it?"),
    "simple": Scenario("simple", "List the library, search it, count two files at once."),
}
