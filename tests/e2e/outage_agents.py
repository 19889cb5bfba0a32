"""The agents of fault_agents, in a process whose looks at a store that is away are scaled as the queue's delays are.

`--app tests.e2e.outage_agents:registry`. The product looks once in each minute of the clock, which the queue's time
factor does not reach: without this a look would come a minute later each time, of a minute that passes `SCALE` times
faster. Nothing else of the product is changed, and that only in a process that is told the scale: no test imports this.
"""

import os

from baton.worker.recovery import outage
from tests.e2e.fault_agents import registry

outage.CHECKS_EVERY_MS = outage.CHECKS_EVERY_MS // int(os.environ["OUTAGE_SCALE"])  # noqa: TID251 - the app has no setting of it

__all__ = ["registry"]
