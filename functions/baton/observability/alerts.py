"""What needs a person: in the log always, and wherever alerts go to.

Invariant: nothing here is raised, and no known secret leaves in an alert.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from msgspec import Struct

from baton.engine.effects import Alert
from baton.observability.error_reports import LAST_PARTS, about_job
from baton.sdk.redaction import KnownSecrets
from baton.storage.ports.jobs import StoredParts
from baton_events.errors import StoreError


class Notice(Struct, frozen=True):
    """What a person is sent.

    Attributes:
        kind: `job_failed`, `undelivered`, `unreadable_message`, `fact_dropped` or `tool_hangs`.
        text: one line, without secrets.
        job_id: the job that it is about; empty: none is known.
        url: where a person sees more; empty: nowhere.
        once: two notices of the same words here are one.
        counted: it is sent once there are enough of the same words in `once`, of whatever jobs.
    """

    kind: str
    text: str
    once: str
    job_id: str = ""
    url: str = ""
    counted: bool = False


class Alerts(Protocol):
    """Tells people, as far as it can."""

    async def send(self, notice: Notice) -> None:
        """Tell it, at most once; raises nothing, whatever goes wrong."""
        ...


_log = logging.getLogger("baton.alerts")

_CONSOLE_JOB = "/console/jobs/"


# Gives the parts of a job after the first so many; of a negative number, the last so many.
PartsAfter = Callable[[str, int], Awaitable[StoredParts]]


class Alerting:
    """Tells of what needs a person.

    `base_url`: of the deployment, for links into its console. `parts_after`: reads what Sentry is told of a job.
    """

    def __init__(
        self, alerts: Alerts | None, secrets: KnownSecrets, base_url: str, parts_after: PartsAfter | None = None
    ) -> None:
        self._alerts = alerts
        self._secrets = secrets
        self._base_url = base_url
        self._parts_after = parts_after

    async def __call__(self, alert: Alert) -> None:
        """Tell it."""
        text = self._secrets.hide(alert.message)
        with await self._about(alert):
            _log.error("ALERT %s", text)
        if self._alerts is not None:
            url = f"{self._base_url}{_CONSOLE_JOB}{alert.job_id}" if self._base_url and alert.job_id else ""
            once = alert.counted or alert.once or text
            await self._alerts.send(Notice(alert.kind, text, once, alert.job_id, url, counted=bool(alert.counted)))

    async def _about(self, alert: Alert) -> AbstractContextManager[None]:
        if self._parts_after is None or not alert.job_id:
            return nullcontext()
        try:
            parts = (await self._parts_after(alert.job_id, -LAST_PARTS)).parts
        except StoreError:
            parts = ()
        return about_job(alert.job_id, parts)
