"""What is done about a tool call that hangs: it is counted, and a person is told, once a day of each tool.

Must not: end anything; that is whoever watches `/healthz`, or the end of a Lambda invocation.
"""

from baton.core.counts import HUNG_TOOLS
from baton.core.effects import Alert
from baton.observability.alerting import Alerting
from baton.observability.counting import count
from baton.ports import Counters
from baton.tools.running_calls import HungCall


class HungCalls:
    """Is told of each call that is written off."""

    def __init__(self, counters: Counters, alerting: Alerting) -> None:
        self._counters = counters
        self._alerting = alerting

    async def __call__(self, call: HungCall) -> None:
        """Count it, and tell of it."""
        await count(self._counters, {f"{HUNG_TOOLS}:{call.tool}": 1})
        text = (
            f"tool {call.tool!r} hangs: call {call.call_id} of job {call.job_id} still runs after its limit of"
            f" {call.limit_seconds:g} s; {call.hung} of at most {call.most} calls hang in this process"
        )
        await self._alerting(Alert("", text, "tool_hangs", call.tool))
