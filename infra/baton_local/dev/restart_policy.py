"""When a part that died is started again, and when not any more.

Pure. A part that had been serving comes back at once, however often that happens. One that dies at once (before it
served, or within a second of it) comes back with growing pauses, and after five such deaths in a row it is given up:
the fault is then in its settings or its data, and trying on would only hide it.
"""

from dataclasses import dataclass

QUICK_DEATH_SECONDS = 1.0
QUICK_DEATHS_ALLOWED = 5
# The pause before the try that follows the 1st, 2nd, … quick death.
PAUSES_SECONDS = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Again:
    """Start the part again after this pause."""

    pause_seconds: float


@dataclass(frozen=True)
class GiveUp:
    """Stop trying."""

    quick_deaths: int


@dataclass(frozen=True)
class RestartPolicy:
    """How many quick deaths in a row a part has behind it."""

    quick_deaths: int = 0

    def after_death(self, served_seconds: float | None) -> tuple["RestartPolicy", Again | GiveUp]:
        """Decide after a death; `served_seconds` is how long the part had been ready, None if it never was."""
        if served_seconds is not None and served_seconds >= QUICK_DEATH_SECONDS:
            return RestartPolicy(), Again(pause_seconds=0.0)
        deaths = self.quick_deaths + 1
        if deaths >= QUICK_DEATHS_ALLOWED:
            return RestartPolicy(deaths), GiveUp(deaths)
        return RestartPolicy(deaths), Again(PAUSES_SECONDS[deaths - 1])
