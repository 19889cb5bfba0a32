"""What can happen to a job: commands (Submitted, Cancelled, Retried); the union about one of its items."""

from typing import Any

from msgspec import Struct, field

from baton.engine.state import Job
from baton.sdk.records import Failure, Wanted


class Submitted(Struct, frozen=True):
    """A new job. `task`: `{"text": …, "data": {…}}`, the first entry of its transcript.

    `slot`: the admission gave it a slot at once.
    """

    job: Job
    task: dict[str, Any]
    slot: bool = False


class Cancelled(Struct, frozen=True):
    """Somebody cancels this run of the job, which they saw; `by`: who, for people. `rolls_back`: and forget it."""

    by: str = ""
    run: int = 1
    rolls_back: bool = False


class Retried(Struct, frozen=True):
    """Somebody wants the job, whose run they saw ended, to run again; `by`: who, for people."""

    run: int
    from_start: bool = False
    by: str = ""


class Admitted(Struct, frozen=True):
    """The admission heard the job's slot request, and grants it."""


class Superseded(Struct, frozen=True):
    """The admission knows a later update of the job, of request epoch `later_epoch`: the job has forgotten it."""

    later_epoch: int


class Started(Struct, frozen=True):
    """The work item was claimed; its work, if any, comes next."""


class ExtraUsage(Struct, frozen=True):
    """What a turn did besides its own model call: kept and counted whether that call works or fails.

    Attributes:
        entries: for the transcript, before what the model says (a summary of earlier turns).
        model_calls: calls of a model, with their tokens and cost; `cached_calls`: answers that came from the cache.
        compacted: the transcript's entries that are not told any more from now on (`Job.compacted`); None: as before.
    """

    entries: tuple[dict[str, Any], ...] = ()
    model_calls: int = 0
    cached_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    compacted: tuple[int, int] | None = None


NO_EXTRA_USAGE = ExtraUsage()


class StreamedText(Struct, frozen=True):
    """What is in the job's parts of the answer's text, without secrets: open as `text_id`, appended so many times."""

    text_id: str
    appended: int
    text: str


class ModelAnswered(Struct, frozen=True):
    """The model's answer: tool calls, or else `text` is the job's answer.

    `cached`: it came from the cache, and no model was called: tokens and cost are those of the first time, and not paid
    again. `estimated_tokens`: what `input_tokens` was thought to
    be before the call, for the next estimate; 0: nobody estimated. `cached_input_tokens`: those of the input tokens
    that the provider had in a cache of its own. `provider`: what it wants to see again in the next turn, kept as it is.
    `output`: the structured answer, any JSON but null, where there is one. `model_calls`: how many it took; 0 where a
    plan says what is to be done. `plan`: what is wanted are the steps of a plan.
    `reflection`: what it thinks of the plan's results. `request_digests`: digests of the request; None: not taken.
    `streamed_text`: what of the text was appended while it was made; None: nothing that is still open.
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


class ModelFailed(Struct, frozen=True):
    """The model call failed; `retry_after_seconds` is what the provider asked for."""

    failure: Failure
    retry_after_seconds: float | None = None
    extra_usage: ExtraUsage = NO_EXTRA_USAGE


class ModelWaits(Struct, frozen=True):
    """Somebody else sends the model's request, which is the so-manieth of this attempt; the answer comes by itself.

    `until_ms`: when the attempt has failed without one. `memo`: where the provider keeps the answer instead, until it
    is asked for; then that is the time of the next look.
    """

    until_ms: int
    number: int
    extra_usage: ExtraUsage = NO_EXTRA_USAGE
    memo: dict[str, Any] = field(default_factory=dict[str, Any])


class ToolReturned(Struct, frozen=True):
    """The tool's result as JSON text, already checked for size.

    `kept_json`: what an agent's runner needs of it besides, kept with the result and shown to nobody; empty: nothing.
    `operation_id`: of the operation by which the call goes on in the background; empty: it is over.
    """

    result_json: str
    kept_json: str = ""
    operation_id: str = ""


class ToolFailed(Struct, frozen=True):
    """The attempt failed; `retry_after_seconds` is what the other side asked for."""

    failure: Failure
    retry_after_seconds: float | None = None


class ToolWaits(Struct, frozen=True):
    """The call waits: for its outcome from outside, for an event, or for nothing but the time.

    Attributes:
        until_ms: when the wait is over in any case.
        timeout_result: the call's outcome then, as JSON text.
        event: the name of the event that ends it; empty: the call's outcome does.
        operation_id: under which it is finished from outside; empty: it is not.
        child: a job that it starts, whose end is its outcome.
        holds_job: it is not to go on in the background.
    """

    until_ms: int
    timeout_result: str
    event: str = ""
    operation_id: str = ""
    child: Submitted | None = None
    holds_job: bool = False


class ToolRunsAgain(Struct, frozen=True):
    """The attempt goes on at `at_ms`, with what it has to know then; nothing runs meanwhile."""

    at_ms: int
    memo: dict[str, Any]


class ToolNeedsApproval(Struct, frozen=True):
    """The call may not run before a person has approved it with these arguments; `until_ms`: for how long it waits.

    `escalates_ms`: when another notice is sent, where nobody has decided; 0: never. `people`: so many must approve.
    `form`: JSON schema of what a person is asked, in the midst of the attempt, which goes on with their answer and
    `memo`; `arguments` are what the form begins with. None: they are asked whether the call may run.
    """

    arguments: dict[str, Any]
    title: str
    until_ms: int
    escalates_ms: int = 0
    people: int = 1
    form: dict[str, Any] | None = None
    memo: dict[str, Any] = field(default_factory=dict[str, Any])


class FollowedUp(Struct, frozen=True):
    """What was left to do for an ended job is done, or there was nothing to do."""


class NotFollowedUp(Struct, frozen=True):
    """It could not be done: the memory, the queue or the callback's address did not take it."""

    failure: Failure


class Undeliverable(Struct, frozen=True):
    """The queue has given up on the item's event; `reason` is what the endpoint answered, `malformed` that it can't."""

    reason: str
    malformed: bool = False


StepResult = (
    Started
    | Admitted
    | Superseded
    | ModelAnswered
    | ModelFailed
    | ModelWaits
    | ToolReturned
    | ToolFailed
    | ToolWaits
    | ToolRunsAgain
    | ToolNeedsApproval
    | FollowedUp
    | NotFollowedUp
    | Undeliverable
)
