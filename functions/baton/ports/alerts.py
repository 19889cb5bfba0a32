"""Where a person is told that something needs them."""

from typing import Protocol

from msgspec import Struct


class Notice(Struct, frozen=True):
    """What a person is told.

    Attributes:
        kind: `job_failed`, `undelivered`, `unreadable_message`, `fact_dropped` or `tool_hangs`.
        text: one line, without secrets.
        job_id: the job that it is about; empty: none is known.
        url: where a person sees more; empty: nowhere.
        once: two notices of the same words here are one.
    """

    kind: str
    text: str
    once: str
    job_id: str = ""
    url: str = ""


class Alerts(Protocol):
    """Tells people, as far as it can."""

    async def send(self, notice: Notice) -> None:
        """Tell it, at most once; raises nothing, whatever goes wrong."""
        ...
