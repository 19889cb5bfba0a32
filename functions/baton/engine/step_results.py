"""The inputs of decide besides commands: a new job (Submitted), and step results of a work item."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.state import Job
from baton.sdk.records.limits import NOTHING_USED_YET, Used
from baton.sdk.records.transcript import Failure, Script, Wanted


class Submitted(Struct, frozen=True):
    """A new job. `task`: `{"text": …, "data": {…}}`, the first entry of its transcript.

    `slot`: the admission gave it a slot at once.
    """

    job: Job
    task: dict[str, Any]
    slot: bool = False


class Admitted(Struct, frozen=True):
    """The admission has granted the job's slot request."""


class Superseded(Struct, frozen=True):
    """The admission knows a later update, of request epoch `later_epoch`, that a failover made the job forget."""

    later_epoch: int


class Started(Struct, frozen=True):
    """The work item was claimed; its work, if any, comes next."""


class ExtraUsage(Struct, frozen=True):
    """The usage of a turn besides its own model call: kept and counted whether that call works or fails.

    `entries`: for the transcript, before the model's own (a summary of earlier turns). `model_calls`: calls of a model,
    with their tokens and cost; `cached_calls`: answers that came from the cache. `compacted`: the transcript's entries
    that are not sent any more from now on (`Job.compacted`); None: as before.
    """

    entries: tuple[dict[str, Any], ...] = ()
    model_calls: int = 0
    cached_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    compacted: tuple[int, int] | None = None

    def __add__(self, other: "ExtraUsage") -> "ExtraUsage":
        """Return both together."""
        return ExtraUsage(
            (*self.entries, *other.entries),
            self.model_calls + other.model_calls,
            self.cached_calls + other.cached_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.compacted if other.compacted is None else other.compacted,
        )


NO_EXTRA_USAGE = ExtraUsage()


class StreamedText(Struct, frozen=True):
    """The streamed text in the job's parts, without secrets: open as `text_id`, appended `appended` times."""

    text_id: str
    appended: int
    text: str


class ModelAnswered(Struct, frozen=True):
    """The model's answer: tool calls, or else `text` is the job's answer.

    `cached`: it came from the cache, and no model was called: tokens and cost are those of the first time, and not paid
    again. `estimated_tokens`: the estimate of `input_tokens` before the call, for the next estimate; 0: none.
    `cached_input_tokens`: input tokens that the provider had in a cache of its own. `provider`: data that the provider
    needs in the next turn, kept as it is. `output`: the structured answer, any JSON but null, where there is one.
    `model_calls`: how many it took; 0: a plan gave the answer. `plan`: the wanted calls are the steps of a plan.
    `reflection`: the planner's thoughts on the plan's results. `request_digests`: digests of the request; None: not
    taken. `streamed_text`: the part of the text that was streamed; None: none that is still open. `cut`: a limit of its
    length cut it off, so none of its calls can run. `workspace`: the handle of the job's workspace; empty: none yet.
    `sent_from`: the first turn that was sent, and the first one of whose files all were; 0: all.
    Of a job that runs code: `stretch`: names its stretches with this one; empty: the code has ended. `waits`: it asks
    for nothing, since steps of earlier stretches are at work. `gives_up`: the numbers of those that it awaits no more.
    `own`: the output as code above gets it, where people are shown another one.
    """

    text: str
    wanted: tuple[Wanted, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    cached: bool = False
    estimated_tokens: int = 0
    extra_usage: ExtraUsage = NO_EXTRA_USAGE
    cached_input_tokens: int = 0
    provider: dict[str, Any] | None = None
    output: Any = None
    model_calls: int = 1
    plan: bool = False
    reflection: str = ""
    request_digests: dict[str, str] | None = None
    streamed_text: StreamedText | None = None
    cut: bool = False
    workspace: str = ""
    sent_from: tuple[int, int] = (0, 0)
    stretch: str = ""
    waits: bool = False
    gives_up: tuple[int, ...] = ()
    own: Any = None


class ModelFailed(Struct, frozen=True):
    """The model call failed; `retry_after_seconds`: the delay that the provider requested.

    `unanswered`: the request may have arrived, and its answer may have to be paid for. `is_unfit`: this deploy's code
    cannot do the step, which waits for one that can.
    """

    failure: Failure
    retry_after_seconds: float | None = None
    extra_usage: ExtraUsage = NO_EXTRA_USAGE
    unanswered: bool = False
    is_unfit: bool = False


class OverBudget(Struct, frozen=True):
    """A budget has no room for the turn's model call, which has not begun.

    `about`: key, per, period, unit, value (the limit) and spent, as people see them. `until_ms`: the end of its period,
    when the call comes again; 0: a person is asked to raise it.
    """

    about: dict[str, Any]
    until_ms: int = 0


class ModelWaits(Struct, frozen=True):
    """The model's request is offloaded, as number `number` of this attempt; a message brings the answer.

    `until_ms`: when the attempt has failed without one. `memo`: where the provider keeps the answer to be polled; then
    `until_ms` is the time of the next poll.
    """

    until_ms: int
    number: int
    extra_usage: ExtraUsage = NO_EXTRA_USAGE
    memo: dict[str, Any] = {}


class ScriptWaits(Struct, frozen=True):
    """The script has made these calls. `script`: as it is now, with the calls that it waits for since before."""

    wanted: tuple[Wanted, ...]
    script: Script


class ScriptEnded(Struct, frozen=True):
    """The script has ended: with a result as JSON text, or with a failure, which the model is told.

    `apart_bytes`: as of `ToolReturned`.
    """

    result_json: str = ""
    failure: Failure | None = None
    apart_bytes: int = 0


class ToolRan(Struct, frozen=True, kw_only=True):
    """An outcome of a tool's run. `printed`: what its code printed and logged, without secrets."""

    printed: str = ""


class ToolReturned(ToolRan, frozen=True):
    """The tool's result as JSON text, already checked for size.

    `kept_json`: further data for an agent's runner, kept with the result and never shown; empty: none.
    `operation_id`: of the operation by which the call goes on in the background; empty: it is over. `until_ms`: how
    long that waits, at most: until then it needs the records of the call's job.
    `apart_bytes`: the size of a large result, which is in the object store; `result_json` names it then; 0: it is here.
    """

    result_json: str
    kept_json: str = ""
    apart_bytes: int = 0
    operation_id: str = ""
    until_ms: int = 0


class ToolFailed(ToolRan, frozen=True):
    """The attempt failed; `retry_after_seconds`: the delay that the other side requested. `is_unfit`: as of a model."""

    failure: Failure
    retry_after_seconds: float | None = None
    is_unfit: bool = False


class ToolWaits(ToolRan, frozen=True):
    """The call waits: for its outcome from outside, for an event, or for nothing but the time.

    `until_ms`: when the wait is over in any case. `timeout_result`: the call's outcome then, as JSON text. `event`: the
    name of the event that ends it; empty: the call's outcome does. `operation_id`: the id under which it is finished
    from outside; empty: it is not. `child`: a job that it starts, whose end is its outcome. `holds_job`: it must not
    continue in the background.
    """

    until_ms: int
    timeout_result: str
    event: str = ""
    operation_id: str = ""
    child: Submitted | None = None
    holds_job: bool = False


class ToolRunsAgain(ToolRan, frozen=True):
    """The attempt goes on at `at_ms`, with `memo`; nothing runs meanwhile."""

    at_ms: int
    memo: dict[str, Any]


class ToolNeedsApproval(ToolRan, frozen=True):
    """The call may not run before a person has approved it with these arguments; `until_ms`: for how long it waits.

    `escalates_ms`: when another notice is sent if no decision has come; 0: never. `people`: how many must approve.
    `form`: JSON schema of a question in the midst of the attempt, which goes on with the answer and `memo`;
    `arguments`: the form's first values. No form: the question is whether the call may run. `data`: what the tool says
    about it; None: nothing. `of_user`: the user of the chat is asked, and operators are only where it escalates.
    """

    arguments: dict[str, Any]
    title: str
    until_ms: int
    escalates_ms: int = 0
    people: int = 1
    form: dict[str, Any] | None = None
    memo: dict[str, Any] = {}
    data: dict[str, Any] | None = None
    of_user: bool = False


class FollowedUp(Struct, frozen=True):
    """An ended job's follow-up is done, or there was nothing to do."""


class NotFollowedUp(Struct, frozen=True):
    """A follow-up failed: the memory, the queue or the callback's address did not take it."""

    failure: Failure


class Undeliverable(Struct, frozen=True):
    """The queue has given up on the item's event. `reason`: the endpoint's answer; `malformed`: it cannot read it."""

    reason: str
    malformed: bool = False


StepResult = (
    Started
    | Admitted
    | Superseded
    | ModelAnswered
    | ModelFailed
    | ModelWaits
    | OverBudget
    | ScriptWaits
    | ScriptEnded
    | ToolReturned
    | ToolFailed
    | ToolWaits
    | ToolRunsAgain
    | ToolNeedsApproval
    | FollowedUp
    | NotFollowedUp
    | Undeliverable
)


def used_by(step_result: StepResult | None) -> ExtraUsage:
    """Return all that the models of a turn have used for this outcome, which is not taken."""
    match step_result:
        case ModelAnswered(cached=True):
            own = ExtraUsage(cached_calls=1)
        case ModelAnswered(model_calls=calls, input_tokens=tokens, output_tokens=written, cost_usd=cost_usd):
            own = ExtraUsage((), calls, 0, tokens, written, cost_usd)
        case ModelFailed() | ModelWaits():
            own = NO_EXTRA_USAGE
        case _:
            return NO_EXTRA_USAGE
    return replace(step_result.extra_usage + own, entries=(), compacted=None)


def spent_by(step_result: StepResult) -> Used:
    """Return the same of any step, as a job's usage."""
    used = used_by(step_result)
    if used is NO_EXTRA_USAGE:
        return NOTHING_USED_YET
    return Used(0, 0, used.input_tokens, used.output_tokens, used.cost_usd, used.model_calls, used.cached_calls)
