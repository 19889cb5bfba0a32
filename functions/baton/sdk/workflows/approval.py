"""A person's approval as a step of a workflow: `decision = await approval("Ship order 7?", {"express": False})`.

Invariant: the question has a deadline, and its end is an answer of its own, not a failure. Must not: know a workflow.
"""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from baton.sdk.records.any_json import JsonObject
from baton.sdk.records.record import Record
from baton.sdk.tools.approval_rule import WEEK_SECONDS
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool import tool
from baton_events.values.durations import Duration, plain_seconds, seconds_in_json

_YEAR_SECONDS = 366 * 86_400
if TYPE_CHECKING:
    Seconds = Duration
else:
    Seconds = Annotated[float, BeforeValidator(seconds_in_json), Field(le=_YEAR_SECONDS)]
_ANY_OBJECT = {"type": "object", "additionalProperties": True}


class Decision(Record, frozen=True, kw_only=True):
    """A person's answer: `data` as approved or asked; `reason` of a rejection; `timed_out`: nobody answered."""

    approved: bool
    data: dict[str, Any]
    reason: str = ""
    timed_out: bool = False


@tool(capabilities={"waiting"}, retries=0)
async def approval(
    title: Annotated[str, Field(min_length=1, max_length=500)],
    data: JsonObject | None = None,
    *,
    timeout_seconds: Seconds = WEEK_SECONDS,
    context: ToolContext | None = None,
) -> Decision:
    """Ask a person to approve something, and wait for the answer.

    Args:
        title: the question.
        data: what is asked about, which the person may edit.
        timeout_seconds: how long to wait at most; 0 or less: nobody is asked.
        context: the call.
    """
    memo, asked = (context.memo if context else None) or {}, data or {}
    if "answer" in memo:
        return Decision(approved=True, data=memo["answer"])
    if "refused" in memo:
        timed_out = memo["refused"] == "expired"
        reason = "" if timed_out else memo.get("reason", "")
        return Decision(approved=False, data=asked, reason=reason, timed_out=timed_out)
    if plain_seconds(timeout_seconds) <= 0:  # nobody is asked once the time is over
        return Decision(approved=False, data=asked, timed_out=True)
    question: Any = RunAgain(memo={}, form=_ANY_OBJECT, title=title, begins_with=asked, timeout_seconds=timeout_seconds)
    return question  # type: ignore[no-any-return]
