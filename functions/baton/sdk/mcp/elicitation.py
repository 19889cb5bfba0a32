"""Questions of MCP servers to people during a call: one after another, each a form that a person fills in.

Invariant: the call's memo holds all of it, so the answer may come days later, to another process. Pure; must not:
import the SDK.
"""

from collections.abc import Mapping
from typing import Any

from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool_error import ToolError

ELICITATION = "elicitation/create"
_NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
_ROOTS = "roots/list"
# The key in a call's memo of its questions and answers.
ASKED = "asked"
_BUSY_SECONDS, _LONGEST_SECONDS, _MOST_ROUNDS = 1.0, 300.0, 10


def asked_of_people(requests: Mapping[str, Mapping[str, Any]], state: str | None = None) -> dict[str, Any]:
    """Return a memo's entry of a server's requests, by their keys; `state`: the server's own, to be sent back.

    Raises ToolError: the server requests something other than a person's answer.
    """
    for request in requests.values():
        if (method := request.get("method")) not in (ELICITATION, _ROOTS):
            raise ToolError(f"the server asks for {str(method)[:80]}, which is not supported", type="mcp_unsupported")
    answers: dict[str, Any] = {key: {"roots": []} for key, request in requests.items() if request["method"] == _ROOTS}
    waiting = {key: request["params"] for key, request in requests.items() if key not in answers}
    return {"waiting": waiting, "answers": answers} | ({} if state is None else {"state": state})


def busy(memo: Mapping[str, Any], asked: Mapping[str, Any]) -> RunAgain:
    """Send back what a server without a question to people wants (`asked`), ever more seldom."""
    rounds = min(memo.get(ASKED, {}).get("rounds", 0), _MOST_ROUNDS)
    seconds = min(_BUSY_SECONDS * 2**rounds, _LONGEST_SECONDS)
    return RunAgain(after_seconds=seconds, memo={ASKED: {**asked, "rounds": rounds + 1}})


def taken_in(memo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the memo with the latest answer, if any, among the answers to the server."""
    rest = {name: value for name, value in memo.items() if name not in ("answer", "refused")}
    asked = memo.get(ASKED)
    if asked is None or len(rest) == len(memo) or not asked["waiting"]:
        return rest
    key = next(iter(asked["waiting"]))
    answers = {**asked["answers"], key: _answer(memo, asked["waiting"][key])}
    waiting = {other: params for other, params in asked["waiting"].items() if other != key}
    return rest | {ASKED: {**asked, "waiting": waiting, "answers": answers}}


def question(server: str, memo: Mapping[str, Any]) -> RunAgain | None:
    """Return the next unanswered question; None: there is none."""
    params = next(iter((memo.get(ASKED) or {"waiting": {}})["waiting"].values()), None)
    if params is None:
        return None
    if params.get("mode") == "url":
        title = f"{params['message']} Open {params['url']} first. ({server} asks)"
        return RunAgain(title=title, form=_NOTHING, memo=dict(memo))
    form = params["requestedSchema"]
    return RunAgain(
        title=f"{params['message']} ({server} asks)", form=form, memo=dict(memo), begins_with=_defaults(form)
    )


def _answer(memo: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    if "answer" in memo:
        return {"action": "accept"} | ({} if params.get("mode") == "url" else {"content": memo["answer"]})
    return {"action": "decline" if memo["refused"] == "rejected" else "cancel"}


def _defaults(form: Mapping[str, Any]) -> dict[str, Any]:
    named = form.get("properties")
    schemas = named.items() if isinstance(named, Mapping) else ()
    return {name: one["default"] for name, one in schemas if isinstance(one, Mapping) and "default" in one}
