"""What needs a person: in the log always, and where alerts go to.

Invariant: nothing here is raised, and no known secret leaves in an alert.
"""

import logging

from baton.core.effects import Alert
from baton.core.redaction import KnownSecrets
from baton.ports import Alerts, Notice

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
