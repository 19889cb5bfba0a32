"""The form of a job: to be started now, or again and again by a schedule."""

from typing import Any

from starlette.responses import Response

from baton.agents.registry import Registry
from baton.console.form import Form, field
from baton.console.gate import Visit
from baton.console.json_field import read_object

_FIRST_PRIORITY, _LAST_PRIORITY = 9, 0


def job_form(
    visit: Visit, registry: Registry, given: dict[str, str], faults: dict[str, str], status: int = 200
) -> Response:
    """The form with what was typed; with `cron` in it, a schedule's."""
    return visit.page(
        "start.html",
        status,
        given=given,
        faults=faults,
        agents=[agent.name for agent in registry.agents],
        priorities=range(_FIRST_PRIORITY, _LAST_PRIORITY - 1, -1),
    )


def body_of(form: Form) -> dict[str, Any]:
    """The submission that the form means.

    Raises:
        ApiError: 422, a field cannot be read as what it is.
    """
    body: dict[str, Any] = {"jobType": field(form, "jobType"), "taskDescription": field(form, "taskDescription")}
    body["inputData"] = read_object(field(form, "inputData"), "inputData")
    priority = field(form, "priority") or "5"
    body["priority"] = int(priority) if priority.isascii() and priority.isdecimal() else priority
    if field(form, "sessionId"):
        body["sessionId"] = field(form, "sessionId")
    return body
