"""What a generated job does: its turns, its tool calls and how each goes; and, from that alone, how it must end.

`expected` is written from docs/decisions, not from the code under test: it is what the code is held to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from baton.engine.state import CallRecord
from baton_events.ids import canonical_json, step_number
from tests.simulation.constants import USUAL_LIMITS
from tests.simulation.odd_values import ODD_CALLS, ODD_TURNS

RESULT_LIMIT_BYTES = 2_000
UNKNOWN_TOOL = "nonesuch"
INPUT_TOKENS, OUTPUT_TOKENS = 10, 5


@dataclass(frozen=True, slots=True)
class ToolKind:
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
# Tools whose call waits, when it does not fail: for an outcome from outside, an event, a time, a job below.
WAITING_TOOLS = {
    "order": ToolKind(2, 1.0, 30),
    "listen": ToolKind(1, 0.5, 30),
    "nap": ToolKind(0, 1.0, 30),
    "ask": ToolKind(2, 2.0, 30),
}
# Tools that are not async (blocking.py); one whose attempt is stuck returns after so long, or is never heard of again.
BLOCKING_TOOLS = {"press": ToolKind(2, 1.0, 20), "grind": ToolKind(1, 0.0, 5), "stamp": ToolKind(0, 1.0, 10)}
STUCK = "stuck"
# Tools that need a person's approval, who has so long to decide.
COUNTERSIGNED = "countersign"  # by two people
APPROVED_TOOLS = {"sign": ToolKind(1, 1.0, 30), COUNTERSIGNED: ToolKind(1, 1.0, 30)}
BACKGROUND_TOOLS = {"post": ToolKind(1, 1.0, 30)}
# One whose next attempt comes so late that its job has no slot meanwhile; in schedules by hand alone.
LATE_TOOLS = {"knock": ToolKind(1, 100.0, 30)}
AT_MOST_ONCE = "wire"  # a call that has begun is not begun again
ODD_TOOL = "carry"  # gets an odd value (odd_values.py)
ODD_TOOLS = {ODD_TOOL: ToolKind(2, 1.0, 30)}
ONCE_TOOLS = {AT_MOST_ONCE: ToolKind(0, 1.0, 30)}
ALL_KINDS = (
    TOOLS | ONCE_TOOLS | WAITING_TOOLS | APPROVED_TOOLS | BLOCKING_TOOLS | BACKGROUND_TOOLS | LATE_TOOLS | ODD_TOOLS
)
LONGEST_TOOL_SECONDS = max(kind.timeout_seconds for kind in ALL_KINDS.values())
APPROVAL_SECONDS = 900.0
DEFAULT_DEPTH = USUAL_LIMITS.depth


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody outside says; `at`: so many seconds after the tool has begun, or the job was accepted.

    `value`: of an outcome, odd ones are failures; of an event, what comes with it. `event`: its name; empty: it is the
    outcome of an operation. `repeats`: how often it is tried again after an error; `twice`: it is said again.
    """

    at: float
    value: int
    event: str = ""
    repeats: int = 5
    twice: bool = False


@dataclass(frozen=True, slots=True)
class WaitPlan:
    """What a call waits for.

    `seconds`: its time-out, or how long it sleeps; a job below has none. `name`: the event's, or the agent's.
    `words`: what is said to it. `cancel_at`: the job below is cancelled then; 0: never.
    """

    seconds: float = 0.0
    name: str = ""
    words: tuple[Message, ...] = ()
    cancel_at: float = 0.0


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One tool call; `how`: what each attempt does (see `outcome`), `times`: how many attempts do so.

    `stuck`: for so many seconds such an attempt is. Of a plan's step: `after`: positions of the steps that come
    before it, `on_failure`: as a `Step` has it.
    """

    tool: str
    number: int
    how: str = "ok"
    times: int = 0
    seconds: float = 0.1
    stuck: float = 0.0
    wait: WaitPlan | None = None
    after: tuple[int, ...] = ()
    on_failure: str = ""


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """One turn: the model fails `fails` times as `how` says (`forever`: always), then says this and asks for these."""

    pieces: str = ""
    calls: tuple[CallPlan, ...] = ()
    fails: int = 0
    how: str = "error"
    forever: bool = False
    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Script:
    """What a job's model does. `fickle`: asked again, it asks for other arguments. `plans`: it asks for plans.

    `words`: how many its texts have besides, and that it says them piece by piece. `offloads`: the queue asks it.
    `program`: its turns are code (programs.py): of a workflow, or of one script that the model sends; empty: they are
    not.
    """

    turns: tuple[TurnPlan, ...]
    reads_history: bool = False
    fickle: bool = False
    model_retries: int = 3
    limits: dict[str, Any] = field(default_factory=dict[str, Any])
    plans: bool = False
    words: int = 0
    offloads: bool = False
    program: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call must end: `error` is empty when it returns its number. `came`: what a wait was told, as JSON text."""

    turn: int
    position: int
    tool: str
    number: int
    attempts: int
    error: str = ""
    came: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """How the job must end. `calls`: None: a step failed the job, and how far the others got is a matter of time."""

    status: str
    turns: int
    calls: tuple[Outcome, ...] | None
    answer: str = ""
    stopped_by: str = ""
    error: str = ""


_ALWAYS = {"refuse": "ToolError", "huge": "result_too_large", "strange": "unrecordable"} | {
    how: odd.error for how, odd in ODD_CALLS.items() if not odd.again
}
_REFUSED = {"unknown": "unknown_tool", "bad": "invalid_arguments"}
_NOT_APPROVED = ("rejected", "expired")
_RETRIED = {"fail": "ToolError", "hang": "timeout", "bug": "ValueError", "kill": "process_died", STUCK: "timeout"} | {
    how: odd.error for how, odd in ODD_CALLS.items() if odd.again
}


# What the calls that wait were told, by turn and position: the call's outcome as it is stored.
Came = Mapping[tuple[int, int], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Died:
    """What of a job its processes died in: attempts and errors of calls, by turn and position; a turn, or 0; why."""

    calls: Mapping[tuple[int, int], tuple[int, str]] = field(default_factory=dict[tuple[int, int], tuple[int, str]])
    turn: int = 0
    error: str = "process_died"


NOBODY_DIED = Died()
UNSURE = ("process_died", "may_have_run")


def outcome(turn: int, position: int, plan: CallPlan, came: Mapping[str, Any] | None = None, depth: int = 1) -> Outcome:
    def ends(attempts: int, error: str = "") -> Outcome:
        name = UNKNOWN_TOOL if plan.how == "unknown" else plan.tool
        return Outcome(turn, position, name, plan.number, attempts, error)

    if plan.how in _REFUSED:
        return ends(0, _REFUSED[plan.how])
    if plan.tool not in WAITING_TOOLS and "operationId" in ((came or {}).get("ok") or {}):
        return _waited(ends(1), came, depth)  # the rest is its operation's
    if plan.tool in APPROVED_TOOLS and (came is None or came.get("error", {}).get("type") in _NOT_APPROVED):
        return ends(0, came["error"]["type"] if came else "nobody was asked")
    if plan.how in _ALWAYS:
        return ends(1, _ALWAYS[plan.how])
    retries = ALL_KINDS[plan.tool].retries
    if plan.how in _RETRIED and plan.times > retries:
        return ends(retries + 1, _RETRIED[plan.how])
    done = ends(plan.times + 1 if plan.how in _RETRIED else 1)
    return done if plan.wait is None or plan.tool in APPROVED_TOOLS else _waited(done, came, depth)


def _waited(done: Outcome, came: Mapping[str, Any] | None, depth: int) -> Outcome:
    if done.tool == "ask" and depth <= 0:
        return replace(done, error="too_deep")
    if came is None:
        return replace(done, error="nothing came")
    error = came["error"]["type"] if "error" in came else ""
    return replace(done, error=error, came="" if error else canonical_json(came["ok"]))


def final_text(script: Script, seen: list[tuple[str, int, str]]) -> str:
    """The last answer: what a model that reads the history makes of the results (number, error or word) it was told."""
    if script.program:
        return ", ".join(["the end", *(word or str(number) for _, number, word in seen)])
    if not script.reads_history:
        return f"the end{more_words(script.words)}"
    return f"the end, {crc32(repr(seen).encode())}{more_words(script.words)}"


# The tool of a workflow's timers.
TIMER = "sleep"


def place_of(script: Script, call: CallRecord) -> tuple[int, int]:
    """The turn and position of a call in its script, which code asks for by its number."""
    later = 1 if script.program == "script" else 0  # than the turn that sends the script
    number = step_number(call.id) - 2  # the first step is the timer, or the script itself
    places = [(turn + later, at) for turn, plan in enumerate(script.turns, 1) for at in range(len(plan.calls))]
    # A script that runs anew has other numbers.
    return places[number] if 0 <= number < len(places) else (call.turn, call.position)


def more_words(count: int) -> str:
    """What makes a text longer; no two words of it are the same."""
    return "".join(f" word-{number}" for number in range(count))


def expected(
    script: Script, came: Came | None = None, depth: int = DEFAULT_DEPTH, died: Died = NOBODY_DIED
) -> Expected:
    """How a job with this script must end, whatever happens on the way.

    `came`: what ended its waits. `depth`: how many levels of jobs may be below it. `died`: whether that may be is for
    the invariants (dying.py).
    """
    came = came or {}
    last = 0
    if script.program == "script":  # its first turn is before those of its calls, and another one after them
        calls_died = {(turn - 1, position): how for (turn, position), how in died.calls.items()}
        came = {(turn - 1, position): told for (turn, position), told in came.items()}
        last, died = died.turn, replace(died, calls=calls_died, turn=died.turn if died.turn == 1 else 0)
    limits, calls, answer = script.limits, list[Outcome](), ""
    for turn, plan in enumerate(script.turns, 1):
        used = turn - 1
        limit = _limit(limits, used)
        if limit:
            return _stopped(limits, limit, used, calls, answer)
        if turn == died.turn:
            return Expected("failed", used, tuple(calls), error=died.error)
        if plan.forever:
            return Expected("failed", used, tuple(calls), error=_MODEL_ERRORS.get(plan.how, "model_error"))
        answer = plan.pieces or answer
        if not plan.calls:
            failed = "failed" if script.program else ""
            seen = [(call.tool, call.number, (call.error and failed) or call.error or call.came) for call in calls]
            done = Expected("completed", turn, tuple(calls), answer=final_text(script, seen))
            return _by_one_script(done, last, died.error) if script.program == "script" else done
        if len(calls) + len(plan.calls) > limits.get("tool_calls", USUAL_LIMITS.tool_calls):
            return _stopped(limits, "tool_calls", turn, calls, answer)
        requested = _outcomes(turn, plan, came, depth, died)
        if any(
            call.error not in ("", "skipped") and step.on_failure == "fail"
            for call, step in zip(requested, plan.calls, strict=True)
        ):
            return Expected("failed", turn, None, error="step_failed")
        calls += requested
    raise AssertionError("a script ends with a turn without calls")


def _by_one_script(done: Expected, died_in: int, error: str) -> Expected:
    """The same where the first turn sends a script, whose stretches are turns without a model.

    `died_in`: the turn after the script, in which the job has failed by this error.
    """
    calls = tuple(replace(call, turn=call.turn + 1) for call in done.calls or ())
    script = Outcome(1, 0, "run_code", 0, 1, came=canonical_json({"value": done.answer}))
    if died_in:
        return Expected("failed", 1, (script, *calls), error=error)
    return replace(done, turns=2, calls=(script, *calls))


def _outcomes(turn: int, plan: TurnPlan, came: Came, depth: int, died: Died) -> list[Outcome]:
    """How a turn's calls must end; a step after one that failed does not happen, unless that one says so."""
    outcomes = list[Outcome]()
    for position, call in enumerate(plan.calls):
        done = outcome(turn, position, call, came.get((turn, position)), depth)
        attempts, error = died.calls.get((turn, position), (0, "nobody died"))
        may_be = (done.error, *UNSURE, _RETRIED.get(call.how), *(("", "ToolError") if call.how == STUCK else ()))
        if error in may_be and done.error not in _REFUSED.values():
            done = replace(done, attempts=attempts, error=error, came="" if error else done.came)
        taken = value_from(turn, plan, call)
        if taken is not None and outcomes[taken].error and error not in UNSURE:  # its step's did, and not its own
            done = Outcome(turn, position, call.tool, call.number, 1, "unresolved_reference")
        if any(_left_out(outcomes[before], plan.calls[before]) for before in call.after):
            done = Outcome(turn, position, call.tool, call.number, 0, "skipped")
        outcomes.append(done)
    return outcomes


def value_from(turn: int, plan: TurnPlan, step: CallPlan) -> int | None:
    """The step of which this one takes a value: the first before it that returns one, as the script says."""
    steps = ((before, plan.calls[before]) for before in step.after)
    return next((at for at, before in steps if before.tool in TOOLS and not outcome(turn, 0, before).error), None)


def _left_out(before: Outcome, step: CallPlan) -> bool:
    return before.error == "skipped" or bool(before.error and step.on_failure in ("skip", "replan"))


_MODEL_ERRORS = {"hang": "model_timeout", "garbage": "invalid_answer", "kill": "process_died"} | {
    how: odd.error for how, odd in ODD_TURNS.items()
}


def _limit(limits: dict[str, Any], used_turns: int) -> str:
    if used_turns >= limits.get("turns", USUAL_LIMITS.turns):
        return "turns"
    if used_turns * (INPUT_TOKENS + OUTPUT_TOKENS) >= limits.get("tokens", USUAL_LIMITS.tokens):
        return "tokens"
    return ""


def _stopped(limits: dict[str, Any], limit: str, turns: int, calls: list[Outcome], answer: str) -> Expected:
    if limits.get("on_limit") == "fail" or not answer.strip():
        return Expected("failed", turns, tuple(calls), error="limit_exceeded")
    return Expected("completed", turns, tuple(calls), answer=answer, stopped_by=limit)
