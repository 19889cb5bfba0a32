"""Following a job's stream to its end: every part once and in order, also when the connection ends in between."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx

from baton_local.cli.deployment import Deployment
from baton_local.cli.sse import SseLines
from baton_local.dev.stack_error import StackError

STREAM_END = "[DONE]"
_RECONNECT_SECONDS = 0.5
# In a row, without a part in between: then the deployment is gone, and the job goes on without us.
_TRIES = 20


def parts_of(deployment: Deployment, job_id: str) -> Iterator[dict[str, Any]]:
    """The job's parts as they come, from the first to the end of the stream.

    Raises:
        StackError: there is no such job, or its API has gone away.
    """
    last_id, tries = "", 0
    while True:
        events = SseLines()
        try:
            with deployment.lines(f"/api/agent-jobs/{job_id}/stream", last_id) as lines:
                for line in lines:
                    event = events.feed(line)
                    if event is None:
                        continue
                    if event.data == STREAM_END:
                        return
                    last_id, tries = event.id or last_id, 0
                    yield json.loads(event.data)
        except httpx.TransportError as error:
            tries += 1
            if tries >= _TRIES:
                raise StackError(
                    f"no answer from {deployment.url} ({error}); the job continues. Watch it again with "
                    f"`baton jobs watch {job_id}`"
                ) from error
        time.sleep(max(_RECONNECT_SECONDS, events.retry_seconds))
