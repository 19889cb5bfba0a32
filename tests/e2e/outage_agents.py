"""The agents of fault_agents, in a process whose looks at a store that is away are scaled as the queue's delays are.

`--app tests.e2e.outage_agents:registry`. The product looks once in each minute of the clock, which the queue's time
factor does not reach: without this a look would come a minute later each time, of a minute that passes `SCALE` times
faster. Nothing else of the product is changed.
"""

from functions import store_away
from tests.e2e.fault_agents import registry

SCALE = 30

store_away.LOOKS_EVERY_MS = store_away.LOOKS_EVERY_MS // SCALE

__all__ = ["registry"]
