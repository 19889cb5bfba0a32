"""Tools that only wait: for a time or for an event, for seconds or months.

Invariant: nothing runs while they wait, and no slot is held.
"""

from typing import Annotated

from pydantic import AwareDatetime, Field

from baton.tools.pending import LONGEST_SECONDS, Pending
from baton.tools.tool import tool

Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]


@tool(capabilities={"waiting"}, retries=0)
def sleep(seconds: Seconds) -> Pending:
    """Wait for a number of seconds.

    Args:
        seconds: how long, up to ten years.
    """
    return Pending(timeout_seconds=seconds, otherwise={"sleptSeconds": seconds}, operation=False)


@tool(capabilities={"waiting"}, retries=0)
def sleep_until(time: AwareDatetime) -> Pending:
    """Wait until a time.

    Args:
        time: the time with its time zone, such as 2027-01-31T09:00:00+01:00.
    """
    return Pending(until=time, otherwise={"sleptUntil": time.isoformat()}, operation=False)


@tool(capabilities={"waiting"}, retries=0)
def wait_for_event(name: Annotated[str, Field(min_length=1, max_length=200)], timeout_seconds: Seconds) -> Pending:
    """Wait until an event of this name happens to the job; one that has happened before and was not waited for counts.

    Args:
        name: the event's name.
        timeout_seconds: how long at most; then the result is {"timedOut": true}.
    """
    return Pending(timeout_seconds=timeout_seconds, event=name, operation=False)
