"""Alerts that are kept, each once."""

from baton.engine.effects import Alert


class FakeAlerts:
    """`Alerts` in memory."""

    def __init__(self) -> None:
        self.sent, self.urls = list[Alert](), list[str]()

    async def send(self, alert: Alert, url: str) -> None:
        if all((n.kind, n.job_id, n.once) != (alert.kind, alert.job_id, alert.once) for n in self.sent):
            self.sent.append(alert)
            self.urls.append(url)
