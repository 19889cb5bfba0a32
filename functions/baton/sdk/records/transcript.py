"""Records and constants that users' code and the engine share: model policy, wanted calls, transcript's roles."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from baton.sdk.records.limits import CodeMode

# The `retries` of a call that, once begun, is never begun again.
ONCE = -1
# A wait without an end of its own: its timer is never published. 13 digits, so that Lua writes it unchanged.
FOREVER_MS = 9_999_999_999_999


# Of a model's entry, in the data of its provider: the stretch of code that the turn was.
STRETCH = "workflowStretch"


# The types of our own failures, which programs compare. Any other is the class of what was raised, or a tool's own.
_TYPES = """
    answer_cut answer_too_large arguments_too_large budget_exceeded callback_failed cancelled changed_code
    delivery_failed expired file_gone file_too_large fork_source_gone given_up invalid_answer invalid_arguments
    invalid_data invalid_input invalid_output invalid_plan invalid_result invalid_task job_gone limit_exceeded
    limit_key_failed may_have_run mcp_busy mcp_connection_lost mcp_invalid_result mcp_refused mcp_server
    mcp_task_cancelled mcp_task_failed mcp_tool_error mcp_unsupported memory_unavailable model_error model_timeout
    never_waits newer_state newer_transcript no_decision no_memory no_plan no_rounds_left not_a_step not_awaited
    not_published not_read not_recorded not_released operation_failed payload_gone process_died provider_not_stopped
    refused rejected result_too_large rolled_back script_error skipped state_not_kept step_failed still_running
    storage_full stuck timeout too_large too_many_calls too_much_told unknown unknown_agent unknown_ref unknown_tool
    unrecordable unresolved_reference
"""
FAILURE_TYPES = tuple(_TYPES.split())


class Failure(Struct, frozen=True, omit_defaults=True):
    """A failure: a stable `type` for programs and a `message` for people.

    `traceback`: of foreign code, for operators alone: no client and no model is sent it. Empty: none. `partial`: the
    text of an answer that was cut off; empty: none.
    """

    type: str
    message: str
    retryable: bool = False
    traceback: str = ""
    partial: str = ""

    @property
    def words(self) -> str:
        """What people read: the message, behind what foreign code has raised, or calls its failure."""
        has_type = self.type in ("ToolError", *FAILURE_TYPES) or self.message.startswith(f"{self.type}: ")
        return self.message if has_type else f"{self.type}: {self.message}"


class ModelPolicy(Struct, frozen=True, omit_defaults=True):
    """A failed model call's retries, and the readers of the conversation: the model, and each tool call, too.

    `name`: of the model, or of several in their order; empty: there is none. `has_workspace`: the jobs may have a place
    outside that they work in, which is released once they have ended. `runs_code`: its turns are stretches of code,
    which goes on whenever one of its calls has ended.
    """

    retries: int = 3
    retry_delay_seconds: float = 2.0
    reads_history: bool = True
    calls_read_history: bool = False
    name: str = ""
    has_workspace: bool = False
    runs_code: bool = False

    @property
    def is_programmed(self) -> bool:
        """Whether code, or a fixed plan of steps, passes on what its calls have returned."""
        return self.runs_code or not self.name


# The fate of the steps that depend on a failed one: the job fails, they are skipped, they continue with the error, or
# they are skipped and the planner makes another plan. Empty: the call is no step of a plan.
OnFailure = Literal["", "fail", "skip", "continue", "replan"]


class Script(Struct, frozen=True, omit_defaults=True):
    """A script of the model, from its request to its end.

    Attributes:
        code: its text, with its secrets.
        tools: its functions: for each name a tool's name, and those of its parameters.
        snapshot: of the interpreter, once it waits. numbers: of the calls that it waits for there. calls: their ids.
        waits_at: the lines of these calls. printed: its output so far.
        begun_at: once it waits: the turn in which it began, and how many calls its job had made before.
    """

    limits: CodeMode
    tools: dict[str, tuple[str, tuple[str, ...]]]
    code: str = ""
    snapshot: str = ""
    numbers: tuple[int, ...] = ()
    calls: tuple[str, ...] = ()
    waits_at: tuple[int, ...] = ()
    printed: str = ""
    begun_at: tuple[int, int] = (0, 0)


class Wanted(Struct, frozen=True):
    """A tool call requested by the model; `fault`: why it cannot run (unknown tool, bad arguments).

    `step`: its name in a plan. `depends_on`: the names of the steps before it. `on_failure`: the fate of the steps
    after them. `isolated`: it runs in an invocation of its own. `script`: it is this script of the model, whose
    secrets the arguments do not show; None: it is a tool call. `number`: of the step in its job's code; 0: it is none.
    """

    tool: str
    arguments: dict[str, Any]
    fault: Failure | None = None
    retries: int = 0
    retry_delay_seconds: float = 1.0
    step: str = ""
    depends_on: tuple[str, ...] = ()
    on_failure: OnFailure = ""
    isolated: bool = False
    script: Script | None = None
    number: int = 0


class HttpRequest(Struct, frozen=True):
    """A POST that another program sends for a model. Its headers hold the provider's key: it is stored nowhere."""

    url: str
    headers: dict[str, str]
    body: str


class HttpResponse(Struct, frozen=True):
    """A provider's answer to a request that another program sent.

    `status`: 0: there was no answer, and `body` has the reason.
    `number`: the request's within the turn's attempt, from 1. `headers`: their names in lower case.
    """

    number: int
    status: int
    headers: dict[str, str]
    body: bytes


ENTRY_VERSION = 1
MEMORY_ROLE = "memory"
MODEL_ROLE = "model"
SESSION_ROLE = "session"
WITHHELD_ROLE = "withheld"
USER_ROLE = "user"


def named_files(transcript: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the files of a task and of the session's earlier ones: those of the task first, then the newest."""
    tasks = [entry for entry in transcript if "files" in entry]
    earlier = [one for entry in transcript if entry["role"] == SESSION_ROLE for one in reversed(entry["exchanges"])]
    return [file for one in (*tasks, *earlier) for file in one.get("files", ()) if not file.get("refused")]


def messages_in(transcript: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, str], ...]:
    """Return the user's messages while the job ran: the turn before each (0: before the first turn), and the text."""
    turn, sent = 0, list[tuple[int, str]]()
    for entry in transcript[1:]:
        if entry["role"] == MODEL_ROLE:
            turn = entry["turn"]
        elif entry["role"] == USER_ROLE:
            sent.append((turn, entry["text"]))
    return tuple(sent)


def turns_of(entries: Sequence[dict[str, Any]], first_turn: int = 1) -> tuple[dict[str, Any], ...]:
    """Return the model's entries, from a turn on."""
    return tuple([entry for entry in entries if entry["role"] == MODEL_ROLE and entry["turn"] >= first_turn])
