"""Alerts that need a person: always in the log, and at the alerts' configured destination.

Invariant: nothing here is raised, and no known secret leaves in an alert.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from msgspec.structs import replace

from baton.engine.effects import Alert
from baton.observability.error_reports import LAST_PARTS, about_job
from baton.sdk.records.redaction import KnownSecrets
from baton.store.records.jobs import StoredParts
from baton_events.errors import StoreError


class Alerts(Protocol):
    """Sends alerts to people, best effort."""

    async def send(self, alert: Alert, url: str) -> None:
        """Send the alert, at most once; never raises. Its message has no secrets. `url`: of details; empty: none."""
        ...


_log = logging.getLogger("baton.alerts")

# Kinds of alerts whose text is ours alone.
_OWN_TEXTS = frozenset({"budget", "fact_dropped", "tool_hangs"})
_CONSOLE_JOB = "/console/jobs/"


# Returns the parts of a job after that many; for a negative number, that many of the last parts.
PartsAfter = Callable[[str, int], Awaitable[StoredParts]]


class Alerting:
    """Logs and sends alerts.

    `base_url`: of the deployment, for links into its console. `parts_after`: reads the job's parts for Sentry.
    `sealed`: payloads are, so an alert says its kind, job and agent alone.
    """

    def __init__(
        self,
        alerts: Alerts | None,
        secrets: KnownSecrets,
        base_url: str,
        parts_after: PartsAfter | None = None,
        *,
        sealed: bool = False,
    ) -> None:
        self._sealed, self._alerts, self._secrets, self._base_url = sealed, alerts, secrets, base_url
        self._parts_after = parts_after

    async def __call__(self, alert: Alert) -> None:
        text = self._secrets.hide(alert.message)
        if self._sealed and alert.kind not in _OWN_TEXTS:
            text = " ".join(filter(None, (alert.kind, alert.job_id, alert.counted or alert.once)))
        with await self._about(alert):
            _log.error("ALERT %s", text)
        if self._alerts is not None:
            url = f"{self._base_url}{_CONSOLE_JOB}{alert.job_id}" if self._base_url and alert.job_id else ""
            once = alert.counted or alert.once or text
            await self._alerts.send(replace(alert, message=text, once=once), url)

    async def _about(self, alert: Alert) -> AbstractContextManager[None]:
        if self._parts_after is None or not alert.job_id:
            return nullcontext()
        try:
            parts = (await self._parts_after(alert.job_id, -LAST_PARTS)).parts
        except StoreError:
            parts = ()
        return about_job(alert.job_id, parts)
