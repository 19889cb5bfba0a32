"""One turn: its model's request, its answer, and its usage.

A request is not stored. It is rebuilt from the entries before the answer, by the code that made it, and from the agent
as it is now. The digests that were recorded with the answer show which parts have changed since. Invariant: no model
is called and nothing is written. Secrets are hidden as in stored records.
"""

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from baton.engine.commit.answers import History
from baton.engine.fork import Ended, Source, fork_of
from baton.engine.state import FORK, Job
from baton.engine.transcript import NewerEntryError, refuse_newer
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import run_messages
from baton.sdk.models.fingerprint import parts_of, request_digests
from baton.sdk.models.model import Message, ModelMessage, ToolMessage
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import MODEL_ROLE
from baton.server.api.jobs.result import with_results
from baton.server.api.problem import ApiError
from baton.server.console.form import whole_number
from baton.server.console.gate import Visit
from baton.server.console.job_page import shown_job
from baton.server.console.shown import with_scripts
from baton.worker.executors.forked import registry_with_edits
from baton.worker.executors.model_turn import messages, request_again

NEWEST_MESSAGES = 30

Entries = Sequence[dict[str, Any]]


def before_turn(entries: Entries, job: Job, turn: int) -> tuple[Entries, dict[str, Any] | None]:
    """Return the entries that a turn's model could be sent, and its answer; None: there is none, or not yet.

    Entries from before the job was retried from its start belong to no later turn.
    """
    places = {entry["turn"]: at for at, entry in enumerate(entries) if entry["role"] == MODEL_ROLE}
    at = places.get(turn, len(entries))
    before, answer = entries[:at], entries[at] if turn in places else None
    earlier = [place for number, place in places.items() if number < job.first_turn]
    if earlier and turn >= job.first_turn:
        before = [*before[: min(earlier)], *before[max(earlier) + 1 :]]
    return before, answer


def _message(message: Message) -> dict[str, Any]:
    match message:
        case ModelMessage():
            calls = [{"tool": call.tool, "arguments": call.arguments} for call in message.calls]
            return {"who": "model", "text": message.text, "value": calls or None}
        case ToolMessage():
            what = "failed" if message.is_error else "result"
            return {"who": f"{message.tool}, {what}", "text": "", "value": message.content}
        case _:
            files = [file.filename or file.media_type for file in message.files]
            data = {**redacted(message.data), **({"files": files} if files else {})}
            return {"who": "note" if message.note else "user", "text": message.text, "value": data or None}


async def show(visit: Visit) -> Response:
    shown, turn = await shown_job(visit), whole_number(visit.request.path_params["turn"])
    snapshot = shown.traced.snapshot
    job = snapshot.job
    if not isinstance(turn, int):
        raise ApiError(404, f"job {job.id!r} has no turn {turn[:20]!r}")
    attempts = shown.traced.trace.turns.get(turn, [])
    entries = await visit.container.ports.reader.transcript(job.id)
    before, answer = before_turn(entries, job, turn)
    if answer is None and not attempts and not (turn == job.turn and not job.ended):
        raise ApiError(404, f"job {job.id!r} has no turn {turn}")
    goes_on = turn in Ended(Source(job, snapshot.calls, snapshot.results, entries)).stretches
    if goes_on:
        question: dict[str, Any] = {"why": "No model was asked: the turn went on with a script of an earlier one."}
        earlier = (entry for entry in before if entry["role"] == MODEL_ROLE and entry["turn"] < turn)
        answer = max(earlier, key=lambda entry: int(entry["turn"]), default=None)
    else:
        given = await with_results(visit.container, snapshot)
        question = _question(visit.container.registry, job, turn, before, answer, given.results)
    conversation = question.pop("messages", [])
    asked = {call["id"] for call in (answer or {}).get("calls", ())}
    calls = [each for each in shown.job["toolCalls"] if {each["id"], each.get("scriptCallId")} & asked]
    return visit.page(
        "turn.html",
        job=shown.job,
        turn=turn,
        attempts=attempts,
        answer=visit.container.secrets.hide_in(_readable(answer)),
        steps=[step for step in shown.steps if step["turn"] == turn and step["callId"] is None],
        goes_on=goes_on,
        calls=with_scripts(calls, snapshot),
        question=visit.container.secrets.hide_in(question),
        conversation=visit.container.secrets.hide_in(
            conversation if visit.query("all") else conversation[-NEWEST_MESSAGES:]
        ),
        left_out=0 if visit.query("all") else max(0, len(conversation) - NEWEST_MESSAGES),
    )


def _question(
    known: Registry, job: Job, turn: int, before: Entries, answer: dict[str, Any] | None, results: dict[str, Any]
) -> dict[str, Any]:
    """Return the request, part by part; `why`: the reason if there is none, `changed`: parts changed since."""
    try:
        refuse_newer(before)
    except NewerEntryError as error:
        return {"why": str(error)}
    history = History(tuple(before), results)
    try:
        fork = fork_of(before[0]) if before and FORK in before[0] else None
        registry = registry_with_edits(known, job.agent, fork.edits) if fork else known
        agent = registry.agent(job.agent)
    except UnknownAgentError:
        shown = [_message(one) for one in messages(history)]
        return {"why": f"The agent {job.agent!r} is not registered any more.", "messages": shown}
    if agent.plan:
        return {"why": "No model is asked: the plan of the agent is fixed."}
    if agent.runner is not None:
        return _of_runner(agent, job, turn, before, answer, results)
    recorded = (answer or {}).get("requestDigests")
    if fork and answer and not recorded:
        return {"why": f"No model was asked: the turn is taken over from job {fork.job_id}."}
    return _of_model(registry, agent, job, history, recorded)


def _of_runner(
    agent: Agent, job: Job, turn: int, before: Entries, answer: dict[str, Any] | None, results: dict[str, Any]
) -> dict[str, Any]:
    """Return what a turn's request had, as it is recorded with its answer; before that, what is known by then."""
    asked = {call.get("id") for entry in before for call in entry.get("calls", ())}
    known = {call_id: result for call_id, result in results.items() if call_id in asked}
    try:
        entries, first = [*before, *([answer] if answer else [])], job.first_turn if turn >= job.first_turn else 1
        found = run_messages(agent.runner, first, entries, known, sent=answer is not None)
    except LookupError:
        found = None
    why = "" if answer else "The library of the agent makes the request of these messages."
    whose = [str(one.get("kind") or one.get("role") or one.get("type", "message")) for one in found or ()]
    shown = [{"who": who, "text": "", "value": _filled(one)} for who, one in zip(whose, found or (), strict=True)]
    return {"why": why, "messages": shown}


def _filled(value: Any) -> Any:
    """Leave out the fields that are null, of which a library's messages have many."""
    if isinstance(value, dict):
        return {name: _filled(part) for name, part in value.items() if part is not None}
    return [_filled(part) for part in value] if isinstance(value, list) else value


def _readable(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return an answer with what its library keeps as JSON text opened."""
    if answer is None or not isinstance(kept := answer.get("provider"), dict):
        return answer
    return {**answer, "provider": _filled({name: _opened(value) for name, value in kept.items()})}


def _opened(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except (ValueError, RecursionError):
        return value


def _of_model(
    registry: Registry, agent: Agent, job: Job, history: History, recorded: dict[str, str] | None
) -> dict[str, Any]:
    request = request_again(registry, agent, job, history)
    made = request_digests(request, reads_history=recorded is None or "messages" in recorded) or {}
    changed = [name for name in {**made, **(recorded or {})} if made.get(name) != (recorded or {}).get(name)]
    model = registry.model_of(agent)
    return {
        **parts_of(request),
        "model": model.name,
        "changed": changed if recorded else [],
        "compared": recorded is not None,
        "unread": not model.reads_history,
        "messages": [_message(one) for one in request.messages],
    }
