"""Registers the hourly backstop sweep with the local queue, as `baton setup` does with the hosted one.

Goes through the official SDK. The schedule's id is fixed, so registering again replaces it. A queue that knows no
schedules yet is no reason not to start: jobs then have their own sweeps while they run.
"""

import httpx
from qstash import AsyncQStash
from qstash.errors import QStashError

SCHEDULE_ID = "baton-sweep"
EVERY_HOUR = "0 * * * *"
SWEEP_PATH = "/workers/sweep"
NO_SUCH_ENDPOINT = "status: 404"  # the SDK tells the status in its error's text only


async def register_backstop(qstash_url: str, qstash_token: str, worker_base_url: str) -> str | None:
    """Register the schedule; return None, or in one line why a queue that knows schedules did not take it."""
    client = AsyncQStash(qstash_token, base_url=qstash_url, retry=False)
    try:
        await client.schedule.create(
            destination=f"{worker_base_url}{SWEEP_PATH}", cron=EVERY_HOUR, schedule_id=SCHEDULE_ID
        )
    except (QStashError, httpx.HTTPError) as error:
        if NO_SUCH_ENDPOINT in str(error):
            return None
        return f"the queue did not take the hourly schedule {SCHEDULE_ID}: {error}"
    finally:
        await client.http._client.aclose()  # noqa: SLF001 - the SDK has no way of its own to close its connections
    return None
