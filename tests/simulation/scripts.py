"""What a generated job does: its turns, its tool calls and how each goes; and, from that alone, how it must end.

`expected` is written from DESIGN, not from the code under test: it is what the code is held to.
"""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

RESULT_LIMIT_BYTES = 2_000
UNKNOWN_TOOL = "nonesuch"
INPUT_TOKENS, OUTPUT_TOKENS = 10, 5


@dataclass(frozen=True, slots=True)
class ToolKind:
    """A tool's settings."""

    retries: int
    retry_delay_seconds: float
    timeout_seconds: float


TOOLS = {
    "work": ToolKind(2, 1.0, 30),
    "fragile": ToolKind(0, 1.0, 30),
    "stubborn": ToolKind(4, 5.0, 15),
    "brisk": ToolKind(1, 0.0, 5),
    "talker": ToolKind(2, 2.0, 30),
}


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One tool call; `how`: what each attempt does (see `outcome`), `times`: how many attempts do so."""

    tool: str
    number: int
    how: str = "ok"
    times: int = 0
    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """One turn: the model fails `fails` times as `how` says (`forever`: always), then says this and asks for these."""

    says: str = ""
    calls: tuple[CallPlan, ...] = ()
    fails: int = 0
    how: str = "error"
    forever: bool = False
    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Script:
    """What a job's model does. `fickle`: asked again, it asks for other arguments."""

    turns: tuple[TurnPlan, ...]
    reads_history: bool = False
    fickle: bool = False
    model_retries: int = 3
    limits: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call must end: `error` is empty when it returns its number."""

    turn: int
    position: int
    tool: str
    number: int
    attempts: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """How the job must end."""

    status: str
    turns: int
    calls: tuple[Outcome, ...]
    answer: str = ""
    stopped_by: str = ""
    error: str = ""


_ALWAYS = {"refuse": "ToolError", "huge": "result_too_large", "strange": "result_not_serializable"}
_REFUSED = {"unknown": "unknown_tool", "bad": "invalid_arguments"}
_RETRIED = {"fail": "ToolError", "hang": "timeout", "bug": "ValueError"}


def outcome(turn: int, position: int, plan: CallPlan) -> Outcome:
    """How this call must end."""

    def ends(attempts: int, error: str = "") -> Outcome:
        name = UNKNOWN_TOOL if plan.how == "unknown" else plan.tool
        return Outcome(turn, position, name, plan.number, attempts, error)

    if plan.how in _REFUSED:
        return ends(0, _REFUSED[plan.how])
    if plan.how in _ALWAYS:
        return ends(1, _ALWAYS[plan.how])
    retries = TOOLS[plan.tool].retries
    if plan.how in _RETRIED and plan.times > retries:
        return ends(retries + 1, _RETRIED[plan.how])
    return ends(plan.times + 1 if plan.how in _RETRIED else 1)


def final_text(script: Script, seen: list[tuple[str, int, str]]) -> str:
    """The last answer: what a model that reads the history makes of the results (number or error) that it was told."""
    if not script.reads_history:
        return "the end"
    return f"the end, {crc32(repr(seen).encode())}"


def expected(script: Script) -> Expected:
    """How a job with this script must end, whatever happens on the way."""
    limits, calls, answer = script.limits, list[Outcome](), ""
    for turn, plan in enumerate(script.turns, 1):
        used = turn - 1
        limit = _limit(limits, used)
        if limit:
            return _stopped(limits, limit, used, calls, answer)
        if plan.forever:
            return Expected("failed", used, tuple(calls), error=_MODEL_ERRORS[plan.how])
        answer = plan.says or answer
        if not plan.calls:
            seen = [(call.tool, call.number, call.error) for call in calls]
            return Expected("completed", turn, tuple(calls), answer=final_text(script, seen))
        if len(calls) + len(plan.calls) > limits.get("tool_calls", 50):
            return _stopped(limits, "tool_calls", turn, calls, answer)
        calls += [outcome(turn, position, call) for position, call in enumerate(plan.calls)]
    raise AssertionError("a script ends with a turn without calls")


_MODEL_ERRORS = {
    "error": "model_error",
    "permanent": "model_error",
    "hang": "model_timeout",
    "garbage": "model_garbage",
    "bug": "model_error",
}


def _limit(limits: dict[str, Any], used_turns: int) -> str:
    if used_turns >= limits.get("turns", 20):
        return "turns"
    if used_turns * (INPUT_TOKENS + OUTPUT_TOKENS) >= limits.get("tokens", 200_000):
        return "tokens"
    return ""


def _stopped(limits: dict[str, Any], limit: str, turns: int, calls: list[Outcome], answer: str) -> Expected:
    if limits.get("on_limit") == "fail":
        return Expected("failed", turns, tuple(calls), error="limit_exceeded")
    return Expected("completed", turns, tuple(calls), answer=answer, stopped_by=limit)
