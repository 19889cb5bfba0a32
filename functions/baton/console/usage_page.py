"""What tenants have used, month by month, what belongs to no job, and the prices that costs follow from."""

from starlette.responses import Response

from baton.api.usage import UsageApi, UsageQuery
from baton.console.gate import Visit


class UsagePage:
    """Shows what was used."""

    def __init__(self, usage: UsageApi) -> None:
        self._usage = usage

    async def show(self, visit: Visit) -> Response:
        """Every month and tenant, the newest month first."""
        used = await self._usage.view(UsageQuery())
        rows = sorted(used["tenants"], key=lambda row: row["tenant"])
        rows.sort(key=lambda row: row["month"], reverse=True)
        return visit.page("usage.html", rows=rows, overhead=used["overhead"], prices=used["prices"])
