"""One change of all jobs that a filter means: first how many there are, then the change."""

from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from baton.api.bulk_change import BulkBody, BulkChangeApi
from baton.api.problem import invalid
from baton.console.form import field
from baton.console.gate import Visit

# Of a hundred jobs each: more at once would outlast a request.
_ROUNDS = 10
FILTERS = ("status", "jobType", "tenant", "sessionId", "createdAfter", "createdBefore", "parentJobId")


class BulkPage:
    """Changes many jobs."""

    def __init__(self, bulk: BulkChangeApi) -> None:
        self._bulk = bulk

    async def ask(self, visit: Visit) -> Response:
        """How many are meant, and whether that is meant."""
        action = visit.query("action")
        given = {name: text for name in FILTERS if (text := visit.query(name))}
        matched, _, more = await self._all(visit, action, given, dry_run=True)
        return visit.page("bulk.html", action=action, given=given, matched=matched, more=more)

    async def change(self, visit: Visit) -> Response:
        """Change them; how many were, and how many could not be."""
        action = field(visit.form, "action")
        given = {name: text for name in FILTERS if (text := field(visit.form, name))}
        matched, changed, more = await self._all(visit, action, given, dry_run=False)
        said = f"{action}: {changed} of {matched} jobs were changed."
        if more:
            said += " There may be more: do it again."
        return visit.go("/console/jobs", said)

    async def _all(self, visit: Visit, action: str, given: dict[str, str], *, dry_run: bool) -> tuple[int, int, bool]:
        matched, changed, cursor = 0, 0, ""
        for _ in range(_ROUNDS):
            answer = await self._bulk.changed(visit.principal, _body(action, given, cursor, dry_run=dry_run))
            matched, changed, cursor = (
                matched + answer["matched"],
                changed + answer["changed"],
                answer.get("cursor", ""),
            )
            if not cursor:
                break
        return matched, changed, bool(cursor)


def _body(action: str, given: dict[str, str], cursor: str, *, dry_run: bool) -> BulkBody:
    asked: dict[str, Any] = {"action": action, "filter": given, "dryRun": dry_run}
    try:
        return BulkBody.model_validate(asked | ({"cursor": cursor} if cursor else {}))
    except ValidationError as error:
        raise invalid(error, "form") from error
