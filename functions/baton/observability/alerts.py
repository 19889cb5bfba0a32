"""What needs a person: in the log always, and wherever alerts go to.

Invariant: nothing here is raised, and no known secret leaves in an alert.
"""

import logging
from typing import Protocol

from msgspec import Struct

from baton.engine.effects import Alert
from baton.sdk.redaction import KnownSecrets


class Notice(Struct, frozen=True):
    """What a person is sent.

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


_log = logging.getLogger("baton.alerts")

_CONSOLE_JOB = "/console/jobs/"


class Alerting:
    """Tells of what needs a person. `base_url`: of the deployment, for links into its console."""

    def __init__(self, alerts: Alerts | None, secrets: KnownSecrets, base_url: str) -> None:
        self._alerts = alerts
        self._secrets = secrets
        self._base_url = base_url

    async def __call__(self, alert: Alert) -> None:
        """Tell it."""
        text = self._secrets.hide(alert.message)
        _log.error("ALERT %s", text)
        if self._alerts is not None:
            url = f"{self._base_url}{_CONSOLE_JOB}{alert.job_id}" if self._base_url and alert.job_id else ""
            await self._alerts.send(Notice(alert.kind, text, alert.once or text, alert.job_id, url))
