"""What became of a probe, and what that says about the way from the queue to a function. Pure.

The troubleshooting of seed 000 ("Webhook failures") in one place: each way to fail has its own sentence.
"""

import json
from http import HTTPStatus
from typing import Any

from baton.ports import LogEntry
from baton.runtime.probe import PROBE_WORD
from baton_local.doctor.finding import Finding, failed, ok, warning

CHECK = "endpoints"
OVER = ("DELIVERED", "FAILED", "CANCELED")
_MALFORMED = 489
_ANSWERED, _REDIRECT = 2, 3  # hundreds
_ALIKE = "the same WORKER_BASE_URL and signing keys here and in the deployment, and its clock right"
_IN_FRONT = "let the queue's requests through there (a function URL: auth type NONE): their signature protects them"
_REACHABLE = "see that the server runs, is open to the internet, has a valid certificate, and that the address is right"
_LOOK = "see the functions' log: a setting may be missing there"
_BASE = "check the path in WORKER_BASE_URL: the functions serve /workers/… below it"
_TUNNEL = "the tunnel is closed, or leads nowhere: start the app, and run `baton tunnel`"

_BY_STATUS = {
    403: ("something in front of the functions refuses the queue (403)", _IN_FRONT),
    404: ("nothing is served there (404)", _BASE),
    405: ("it does not take POST (405)", _BASE),
    429: (
        "something in front of the functions limits the queue (429)",
        "raise that limit: the queue shapes its traffic",
    ),
    _MALFORMED: ("the functions know no probe: they are older than this command (489)", "deploy this version"),
    500: ("the function fails (500)", _LOOK),
    502: ("the server behind the address does not answer (502)", _REACHABLE),
    503: ("the function is not able to answer (503)", _LOOK),
    504: ("the server behind the address is too slow (504)", _REACHABLE),
}


def verdict(entry: LogEntry, version: str) -> Finding:
    """What the last thing that happened to a probe says; `version`: of this code."""
    if entry.status == 0:
        reason = entry.error or f"it is {entry.state}"
        return failed(CHECK, f"the queue cannot reach it: {reason[:200]}", _REACHABLE)
    if "ERR_NGROK" in entry.answer:
        return failed(CHECK, f"ngrok answers itself ({entry.status})", _TUNNEL)
    answer = _json(entry.answer)
    if entry.status == HTTPStatus.UNAUTHORIZED:
        return _refused(answer)
    kind = entry.status // 100
    if kind == _ANSWERED:
        return _answered(entry, answer, version)
    if kind == _REDIRECT:
        return failed(
            CHECK,
            f"it answers with a redirect ({entry.status}), which the queue does not follow",
            "set WORKER_BASE_URL to the address that it leads to: https, the right host, no slash at the end",
        )
    text, way_out = _BY_STATUS.get(entry.status, (f"it answers {entry.status}", _LOOK))
    detail = str(answer.get("detail", ""))[:200]
    return failed(CHECK, f"{text}{f': {detail}' if detail else ''}", way_out)


def _refused(answer: dict[str, Any]) -> Finding:
    if answer.get("title") == "webhook refused":
        return failed(CHECK, f"reached, and the signature is refused (401): {answer.get('detail')}", _ALIKE)
    return failed(CHECK, "something in front of the functions asks for a login (401)", _IN_FRONT)


def _answered(entry: LogEntry, answer: dict[str, Any], version: str) -> Finding:
    if answer.get("outcome") == PROBE_WORD:
        theirs = str(answer.get("version", ""))
        if theirs and version and theirs != version:
            return warning(CHECK, f"reached, signature believed; it runs version {theirs}, this is {version}", "deploy")
        return ok(CHECK, "reached by the queue, signature believed")
    if not entry.answer:
        return ok(CHECK, f"reached by the queue ({entry.status}; it does not show the answer)")
    return failed(CHECK, f"another program answers there: {entry.answer[:60]!r}", _BASE)


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
