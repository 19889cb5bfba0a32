"""Alerts that are kept, each once."""

from baton.observability.alerts import Notice


class FakeAlerts:
    """`Alerts` in memory."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        if all((n.kind, n.job_id, n.once) != (notice.kind, notice.job_id, notice.once) for n in self.sent):
            self.sent.append(notice)
