"""What readers of a job's parts get: operators all; others what is said, done, asked, and that something failed.

An exception's text may name hosts and passwords, and what Baton costs is the operator's affair. So whoever is no
operator gets of a failure one sentence, and an id by which the log and the console tell the rest. Invariant: a kind of
part that stands in no table here, as of a newer version, is the operators' alone. A message that is read again later
says the same. Must not: know who is asking, or change a job's JSON, which programs read.
"""

import json
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.state import Job
from baton_events.ids import canonical_json

NOT_COMPLETED, CALL_NOT_COMPLETED = "The answer could not be completed.", "The call could not be completed."
# The ends of most parts, which need not be read.
_AS_IT_IS = tuple(f'"type":"{name}"}}' for name in ("text-delta", "text-start", "text-end", "start-step"))
_ERROR = '{"type":"error",'
_FOR_ALL = """
    start start-step finish-step text-start text-delta text-end tool-input-available tool-output-available
    tool-output-error abort error finish data-retry data-cut data-message data-plan-created data-step-started
    data-step-completed data-reflection data-checkpoint data-operation data-progress data-job-retried
    data-job-cancelling
"""


class Audience(Struct, frozen=True):
    """Who reads. `is_operator`: they get all; `sees_errors`: texts of failures, too."""

    is_operator: bool = False
    sees_errors: bool = False

    def shown_part(self, job_id: str, text: str) -> str:
        """Return a part as they get it; empty: it is not for them."""
        if text.endswith(_AS_IT_IS) or (self.is_operator and not text.startswith(_ERROR)):
            return text
        part = json.loads(text)
        if part["type"] == "error":
            shown = part["errorText"] if self.is_operator or self.sees_errors else NOT_COMPLETED
            return canonical_json({**part, "errorText": shown, "id": job_id})
        if self.is_operator or part["type"] not in _FOR_ALL.split():
            return text if self.is_operator else ""
        changed = None if self.sees_errors else _without_texts(part)
        return text if changed is None else canonical_json(changed)

    def shown_job(self, job: Job) -> Job:
        """Return a job as they are told of it by a protocol whose errors are texts: the failure's type, and the id."""
        if self.is_operator or self.sees_errors or job.error is None or not job.ended:
            return job
        message = f"{job.error.type}: {NOT_COMPLETED} ({job.id})"
        return replace(job, error=replace(job.error, message=message, traceback="", partial=""))


def _without_texts(part: dict[str, Any]) -> dict[str, Any] | None:
    """Return a part without the texts of errors, and of what concerns operators alone; None: it has none."""
    match part["type"]:
        case "tool-output-error":
            return {**part, "errorText": CALL_NOT_COMPLETED}
        case "data-step-completed" | "data-operation" if "error" in part["data"]:
            error = {"type": part["data"]["error"]["type"], "message": CALL_NOT_COMPLETED}
            return {**part, "data": {**part["data"], "error": error}}
        case "data-checkpoint" if part["data"].get("mayDecide") == "operator":
            return {**part, "data": {**part["data"], "title": "An operator has to decide.", "arguments": None}}
        case _:
            return None
