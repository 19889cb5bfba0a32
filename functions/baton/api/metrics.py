"""`GET /api/metrics`: the deployment's figures for Prometheus (CONTRACT, "Operations, worker, tools, health").

Invariant: what one scrape reads is bounded. A queue that does not answer leaves out its own figure alone; a store that
does not is an error, so that nobody takes silence for zero.
"""

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response

from baton.api.exposition import CONTENT_TYPE, Measured, exposition
from baton.container import Container
from baton.core.checkpoint import LIMIT_APPROVAL
from baton.core.legs import LegKind
from baton_events.errors import PublishError

_log = logging.getLogger("baton.api")

# Pending approvals are looked for in so many jobs.
LOOKED_AT_LIMIT = 500


class MetricsApi:
    """The one endpoint; who may read it is the guard's to say."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def show(self, _request: Request) -> Response:
        """200 and the text of one scrape; over all tenants."""
        text = exposition(await self._measured())
        return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})

    async def _measured(self) -> Measured:
        ports = self._container.ports
        counted = asyncio.gather(ports.figures.sums(), ports.tool_statistics.figures(), ports.operating.ends())
        stands = asyncio.gather(
            ports.operating.state(),
            ports.operating.live(),
            ports.operation_stream.expected(ports.clock.now_ms()),
            self._dead_messages(),
        )
        (sums, tools, ends), (state, live, operations, dead) = await asyncio.gather(counted, stands)
        waiting = sum(entry.want == "none" for entry in live.values())
        # Who waits first: others have rarely asked for a decision.
        names = sorted(live, key=lambda name: live[name].want != "none")
        pending = await self._pending_approvals(names[:LOOKED_AT_LIMIT])
        return Measured(sums, tools, ends, state, waiting, pending, operations, dead)

    async def _pending_approvals(self, job_ids: list[str]) -> int:
        jobs = await self._container.ports.reader.jobs(job_ids)
        now_ms = self._container.ports.clock.now_ms()
        waits = (leg for job in jobs.values() for leg in job.legs if leg.kind is LegKind.WAIT)
        return sum(bool(leg.asks_for) or leg.tool == LIMIT_APPROVAL for leg in waits if leg.not_before_ms > now_ms)

    async def _dead_messages(self) -> int | None:
        try:
            return len((await self._container.ports.queue_records.dead_letters()).letters)
        except PublishError as error:
            _log.warning("metrics without the dead letter queue: %s", error)
            return None
