"""`/admin`, with `--faults` what this server has beside the hosted service's API: faults on demand, and a reset.

POST `/admin/faults` adds rules, `{"rules": [{"fault": "delay", "url": "http://…", "count": 2, "seconds": 0.5}]}`, or
sets `clock_skew_seconds`; GET shows what is left; DELETE drops all. A reset forgets the caller's own world and all
rules.
"""

from typing import Any

from baton_local.qstash.core.answer import Answer, Request, bad_request, not_found, ok
from baton_local.qstash.core.commands import tenants
from baton_local.qstash.engine import Engine
from baton_local.qstash.faults import Fault, FaultPlan, FaultRule

_MAX_SKEW_SECONDS = 10 * 365 * 86_400
_STATUSES = range(100, 600)
# Of a rule, with default, least and most.
_NUMBERS = {"count": (1, 1, 1_000_000), "seconds": (0, 0, 3_600), "status": (0, 0, _STATUSES.stop - 1)}


async def show(engine: Engine, _user: str, _request: Request) -> Answer:
    return ok(_plan(engine).view())


async def add(engine: Engine, _user: str, request: Request) -> Answer:
    """Plan more; a body that is wrong in any place plans nothing."""
    plan, body = _plan(engine), request.json()
    if not isinstance(body, dict) or not body.keys() <= {"rules", "clock_skew_seconds"}:
        raise bad_request('body: must be an object with "rules", a list, or "clock_skew_seconds", or both')
    given = body.get("rules", [])
    if not isinstance(given, list):
        raise bad_request("rules: must be a list of objects")
    rules = [_rule(each) for each in given]
    skew = _number(body, "clock_skew_seconds", plan.clock_skew_seconds, -_MAX_SKEW_SECONDS, _MAX_SKEW_SECONDS)
    plan.rules += rules
    plan.clock_skew_seconds = int(skew)
    return ok(plan.view())


async def clear(engine: Engine, _user: str, _request: Request) -> Answer:
    _plan(engine).clear()
    return ok(_plan(engine).view())


async def reset(engine: Engine, user: str, request: Request) -> Answer:
    """Forget everything of the caller, and all rules."""
    _plan(engine).clear()
    return await engine.execute(user, tenants.reset, request)


def _plan(engine: Engine) -> FaultPlan:
    if engine.faults is None:
        raise not_found("faults are off; start the server with --faults")
    return engine.faults


def _rule(given: Any) -> FaultRule:
    if not isinstance(given, dict) or not given.keys() <= {"fault", "url", *_NUMBERS}:
        wanted = ", ".join(("url", *_NUMBERS))
        raise bad_request(f"rules: each is an object with fault and, if wanted, {wanted}; not {given!r:.200}")
    fault, url = given.get("fault"), given.get("url", "")
    if fault not in list(Fault):
        raise bad_request(f"fault: {fault!r:.80} is unknown; use {', '.join(Fault)}")
    if not isinstance(url, str):
        raise bad_request(f"url: must be the beginning of a URL, not {url!r:.80}")
    count, seconds, status = (_number(given, name, *bounds) for name, bounds in _NUMBERS.items())
    if 0 < status < _STATUSES.start:
        raise bad_request(f"status: {status} is none; use 0 for a broken connection, or 100 to 599")
    return FaultRule(Fault(fault), url, int(count), seconds, int(status))


def _number(given: dict[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise bad_request(f"{name}: must be a number between {low:g} and {high:g}, not {value!r:.80}")
    return value
