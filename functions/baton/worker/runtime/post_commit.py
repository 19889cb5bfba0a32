"""The effects of a COMMIT besides its work items, and the report of a tool call that hangs.

A call that hangs is counted, and gives one alert a day for each tool.

Invariant: nothing rests on these effects, each is harmless when it is lost, and nothing is raised that would harm the
delivery. Must not: end anything.
"""

import logging
from collections.abc import Sequence

from baton.engine.effects import HUNG_TOOLS, Alert, Effect, Expect, UsedLate
from baton.observability.alerts import Alerting
from baton.sdk.clock import Clock
from baton.sdk.tools.running_calls import HungCall
from baton.store.redis.admission import Admission
from baton.store.redis.totals import Counters, count
from baton.worker.commands.operation_stream import OperationOutcomes
from baton_events.errors import StoreError

_log = logging.getLogger("baton.pipeline")


class HungCalls:
    """Receives each call that is written off."""

    def __init__(self, counters: Counters, alerting: Alerting) -> None:
        self._counters, self._alerting = counters, alerting

    async def __call__(self, call: HungCall) -> None:
        await count(self._counters, {f"{HUNG_TOOLS}:{call.tool}": 1})
        text = (
            f"tool {call.tool!r} hangs: call {call.call_id} of job {call.job_id} still runs after its limit of"
            f" {call.limit_seconds:g} s; {call.hung} of at most {call.most} calls hang in this process"
        )
        await self._alerting(Alert("", text, "tool_hangs", call.tool))


class PostCommit:
    def __init__(self, outcomes: OperationOutcomes, alerting: Alerting, admission: Admission, clock: Clock) -> None:
        self._outcomes, self._admission, self._clock, self._alerting = outcomes, admission, clock, alerting

    async def __call__(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Alert():
                    await self._alerting(effect)
                case Expect():
                    await self._outcomes.expect(effect.operation_id, effect.until_ms)
                case UsedLate(job=job, spent=spent):
                    try:
                        await self._admission.used_late(job, spent, self._clock.now_ms())
                    except StoreError as error:
                        _log.warning("the sums of ended jobs lack %s of job %s: %s", spent, job.id, error)
                case _:
                    pass
