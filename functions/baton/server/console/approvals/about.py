"""An approval's context for a person: the task, the model's words, the call as a sentence, and its form.

Invariant: nothing is written, no model is called, and secrets stay hidden.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import OF_SESSION, CallRecord
from baton.engine.waits import BUDGET, LIMIT_APPROVAL
from baton.sdk.agents.registry import Registry, UnknownAgentError, UnknownToolError
from baton.sdk.records.transcript import MODEL_ROLE
from baton.sdk.tools.sentence import approval_sentence
from baton.server.api.jobs.approval_list import questions_of, view_of
from baton.server.api.jobs.approvals import Checkpoint, question_of
from baton.server.console.approvals.schema_form import schema_shown_by
from baton.server.console.shown import program
from baton.worker.container import Container
from baton_events.ids import job_of_call

# The number of jobs searched for earlier approvals, and of approvals shown.
_ROWS, _JOBS_READ, _MOST_EARLIER = 1_000, 20, 5


@dataclass(frozen=True)
class About:
    """One approval.

    `approval`: the approval in the API's form. `asked`: the arguments that can be edited. schema: theirs; None:
    unknown. `words`: the model's text with the call. `job_id`: the job that the call is a part of, and the turn; 0:
    code makes it. program: the script that makes it, line by line.
    """

    approval: Checkpoint
    sentence: str
    agent: str
    tenant: str
    task: str
    words: str
    job_id: str
    turn: int
    description: str
    asked: dict[str, Any]
    schema: dict[str, Any] | None
    is_limit: bool
    program: list[dict[str, Any]]

    @property
    def is_open(self) -> bool:
        return bool(self.approval["status"] == "pending")

    @property
    def is_question(self) -> bool:
        """Whether a tool asks for an answer, rather than for permission to run."""
        return "form" in self.approval

    @property
    def fills_in(self) -> bool:
        """Whether the answer must be filled in; else the question is whether something may be done."""
        return self.is_question and bool(self.approval["form"].get("properties"))


async def read_about(container: Container, checkpoint_id: str) -> About:
    """Read one approval. Raises ApiError: 404."""
    snapshot, question = await question_of(container, checkpoint_id)
    view, job = view_of(question, snapshot, container.ports.clock.now_ms()), snapshot.job
    asked_by, turn, call_id = snapshot, question.turn, snapshot.job.notifies.removeprefix(OF_SESSION)
    # An operation is one call of another job, whose model has made it.
    started = await container.ports.reader.job(job_of_call(call_id)) if job.is_operation else None
    if started and (call := next((call for call in started.calls if call.id == call_id), None)):
        asked_by, turn = started, call.turn
    entries = await container.ports.reader.transcript(asked_by.job.id)
    texts = (entry.get("text") for entry in entries if entry["role"] == MODEL_ROLE and entry["turn"] == turn)
    schema, description = _about_tool(container, job.agent, view, question)
    is_limit = question.tool == LIMIT_APPROVAL
    schema = view.get("form", schema)
    return About(
        approval=view,
        sentence=approval_sentence(job.agent, view),
        agent=job.agent,
        tenant=job.tenant,
        task=container.secrets.hide(str(asked_by.task.get("text", ""))),
        words=container.secrets.hide(next((text for text in texts if isinstance(text, str)), "")),
        job_id=asked_by.job.id,
        turn=0 if asked_by.job.model.is_programmed else turn,
        description=description,
        asked={"value": view["arguments"]["value"]} if is_limit else view["arguments"],
        schema=schema,
        is_limit=is_limit,
        program=program(asked_by, next((call.script for call in asked_by.calls if call.id == view["callId"]), "")),
    )


async def earlier_decisions(container: Container, about: About) -> list[Checkpoint]:
    """Return the last decisions on the same tool, among the newest jobs of the agent."""
    rows = (await container.ports.listing.scan(Query(agent=about.agent), "", _ROWS)).found[:_JOBS_READ]
    read = await asyncio.gather(*(container.ports.reader.job(one.job_id, partly=True) for one in rows))
    views = [
        view_of(question, one, container.ports.clock.now_ms()) for one in read if one for question in questions_of(one)
    ]
    decided = [view for view in views if view["decidedAt"] and view["tool"] == about.approval["tool"]]
    others = [view for view in decided if view["id"] != about.approval["id"]]
    return sorted(others, key=lambda view: str(view["decidedAt"]), reverse=True)[:_MOST_EARLIER]


def _about_tool(
    container: Container, agent: str, view: Checkpoint, question: CallRecord
) -> tuple[dict[str, Any] | None, str]:
    if question.tool == LIMIT_APPROVAL:
        whose = " for everybody, unless it is higher by now" if question.arguments["limit"] == BUDGET else ""
        number = {"type": "number", "description": f"the new limit{whose}; unchanged, twice this"}
        return {"properties": {"value": number}, "required": ["value"]}, ""
    try:
        tool = container.registry.tool(view["tool"])
    except UnknownToolError:
        return _of_library(container.registry, agent, view)
    return tool.parameters, tool.description


def _of_library(registry: Registry, agent: str, view: Checkpoint) -> tuple[dict[str, Any], str]:
    """Return the schema and description of a library's tool; of one not known before a run, what its arguments show."""
    try:
        runner = registry.agent(agent).runner
    except UnknownAgentError:
        runner = None
    for name, description, schema in runner.made_of().get("tools", ()) if runner else ():
        if name == view["tool"]:
            return schema, description or ""
    return schema_shown_by(view["arguments"]), ""
