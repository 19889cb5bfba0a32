"""How many schedules the tests play, from which seed on, and for how long at most."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Most:
    """How long schedules are begun: so much processor time of all processes together, and so long by the clock."""

    processor_seconds: float = math.inf
    seconds: float = math.inf

    def spent(self, processor_seconds: float, seconds: float) -> bool:
        """Whether no more are begun after that."""
        return processor_seconds >= self.processor_seconds or seconds >= self.seconds


# Change it to look at other schedules; a failure names the seed of its own.
BASE_SEED = 1
SCHEDULES = 20_000
# Of these, `make check` plays the first ones only; they are always played, whatever it takes.
FIRST_SCHEDULES = 1_000
# Of the others no more are begun after so long: a machine that is too slow for all says how many it has played. What
# is meant is eight minutes of two cores. Beside other tests they get a part of these, so processor time is counted; the
# clock ends it where they get next to nothing.
MOST = Most(processor_seconds=960.0, seconds=1_200.0)
