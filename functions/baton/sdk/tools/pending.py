"""The return value of a tool whose call is completed later or only waits.

Invariant: data only; the tool has returned, and nothing runs while the call waits. Names: CONTRACT, "For tool and
agent authors".
"""

from collections.abc import Generator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import field, structs

from baton.sdk.records.record import Record
from baton.sdk.records.transcript import FOREVER_MS
from baton_events.app_event import KEY_LIMIT_CHARS
from baton_events.values.durations import LONGEST_SECONDS, Duration, plain_seconds, seconds_of
from baton_events.values.text import storable

TIMED_OUT = {"timedOut": True}


class ChildTask(Record, frozen=True, kw_only=True):
    """A job for another agent: its name, its task, and data for it."""

    agent: str
    task: str
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class RunAgain(Record, frozen=True, kw_only=True):
    """The call runs again, as the same attempt: after some seconds, or once a person has answered.

    Attributes:
        memo: `ToolContext.memo` of the next run; after a question it also has the `answer`, or the reason in `refused`.
        after_seconds: the wait before the next run, if no person is asked.
        form: a JSON schema of the answer, an object; None: no person is asked.
        title: the question.
        begins_with: the form's initial values.
        timeout_seconds: the longest wait for the answer; then `refused` is "expired". None: a week.
    """

    memo: dict[str, Any]
    after_seconds: Duration = 0
    form: dict[str, Any] | None = None
    title: str = ""
    begins_with: dict[str, Any] = field(default_factory=dict[str, Any])
    timeout_seconds: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse a wait that never ends."""
        structs.force_setattr(self, "after_seconds", seconds_of(self.after_seconds, "RunAgain(...): after_seconds"))
        if self.timeout_seconds is not None:
            seconds = seconds_of(self.timeout_seconds, "RunAgain(...): timeout_seconds")
            structs.force_setattr(self, "timeout_seconds", seconds)

    def at_ms(self, now_ms: int) -> int:
        """Return when it runs again, in milliseconds since 1970."""
        return now_ms + round(plain_seconds(self.after_seconds) * 1000)


class Pending(Record, frozen=True, kw_only=True):
    """The call ends later: by its operation's completion, an event, its time, or a job's end.

    Attributes:
        timeout_seconds: the longest wait; this or `until` is given.
        until: the same as a time.
        event: the name of the event that ends it; empty: its operation is completed from outside.
        key: any app event of the tenant with this name and key ends it; None: only an event sent to this job does.
        otherwise: the call's result when its time is up, any JSON value.
        operation: whether it can be completed from outside, by `ToolContext.operation_id`.
        child: a job to start, whose answer is the call's result; made by `ToolContext.start`. It needs no time limit
            of its own: it ends no later than the job that starts it.
    """

    timeout_seconds: Duration | None = None
    until: datetime | None = None
    event: str = ""
    key: str | None = None
    otherwise: Any = field(default_factory=lambda: dict(TIMED_OUT))
    operation: bool = True
    child: ChildTask | None = None

    def __post_init__(self) -> None:
        """Refuse a wait without an end, or one that never begins."""
        if not isinstance(self.event, str) or not isinstance(self.key, str | None):
            raise TypeError(f"Pending(event={self.event!r}, key={self.key!r}): names are texts")
        if self.key is not None and (not self.event or len(self.key) > KEY_LIMIT_CHARS):
            raise ValueError(
                f"Pending(key={self.key!r}): a key of at most {KEY_LIMIT_CHARS} characters, beside an event"
            )
        if self.key is not None:
            structs.force_setattr(self, "key", storable(self.key))
        if self.child is not None and (self.timeout_seconds, self.until) == (None, None):
            return
        if (self.timeout_seconds is None) == (self.until is None):
            raise ValueError("Pending(...): give timeout_seconds or until, one of them: a wait has an end")
        if self.timeout_seconds is not None:
            seconds = seconds_of(self.timeout_seconds, "Pending(...): timeout_seconds")
            structs.force_setattr(self, "timeout_seconds", seconds)
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError(f"Pending(until={self.until!r}): give the time with its time zone")

    if TYPE_CHECKING:
        # A workflow's code awaits a wait, and there the interpreter does. A tool returns it, so it is no awaitable:
        # libraries await what a tool returns.
        def __await__(self) -> Generator[Any, None, Any]: ...

    @property
    def holds_its_job(self) -> bool:
        """Whether its call's turn waits for it, also in a chat: it ends with the job, or by an event for the job."""
        return self.child is not None or (bool(self.event) and self.key is None)

    def until_ms(self, now_ms: int) -> int:
        """Return when the wait ends in any case, in milliseconds since 1970."""
        if self.child is not None:
            return FOREVER_MS
        if self.until is not None:
            return max(now_ms, min(int(self.until.timestamp() * 1000), now_ms + LONGEST_SECONDS * 1000))
        return now_ms + int(plain_seconds(self.timeout_seconds or 0) * 1000)
