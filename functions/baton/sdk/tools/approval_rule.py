"""Whether a call needs a person: `requires_approval` of a tool, which is True, False or a function.

A function decides by the arguments as the model sent them and by the call's context, in each attempt that nobody has
approved. Invariant: a function that fails, or returns anything but a bool, lets no call run. Must not: ask anybody.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Literal, TypedDict

from msgspec import Struct

from baton.sdk.records.limits import is_number
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.redaction import copied_json
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.runnable import InThread, call_in_thread
from baton.sdk.tools.tool_error import ToolError
from baton_events.values.durations import Duration

RequiresApproval = bool | Callable[[dict[str, Any], ToolContext], bool | Awaitable[bool]]
_LONGEST_SECONDS = 10.0
WEEK_SECONDS, _YEAR_SECONDS = 604_800, 366 * 86_400


class ApprovalTerms(TypedDict, total=False):
    """How people are asked: a `title` above the arguments; how long; when another notice is sent if nobody decides.

    `by`: `operators`, or the `user` of the chat, whose turn waits for it.
    """

    title: str
    by: Literal["operators", "user"]
    seconds: Duration
    escalate_after_seconds: Duration


def check_terms(whose: str, terms: Any) -> None:
    """Check what `approval` is. Raises TypeError: it has another name, or a value that does not fit."""
    names = ApprovalTerms.__annotations__
    if not isinstance(terms, dict) or not set(terms) <= set(names):
        raise TypeError(f"{whose}: approval must be a dict of {', '.join(names)}, got {terms!r}")
    seconds: Any = terms.get("seconds", WEEK_SECONDS)
    after, title = terms.get("escalate_after_seconds"), terms.get("title")
    if not is_number(seconds) or not 0 < seconds <= _YEAR_SECONDS:
        raise TypeError(
            f"{whose}: approval['seconds'] must be more than 0 and at most a year ({_YEAR_SECONDS}), got {seconds!r}"
        )
    if after is not None and (not is_number(after) or not 0 < after < seconds):
        raise TypeError(
            f"{whose}: approval['escalate_after_seconds'] must be more than 0 and less than its seconds ({seconds:g}),"
            f" got {after!r}"
        )
    if not isinstance(title or "", str):
        raise TypeError(f"{whose}: approval['title'] must be a text, got {title!r}")
    if (by := terms.get("by", "operators")) not in ("operators", "user"):
        raise TypeError(f"{whose}: approval['by'] must be 'operators' or 'user', got {by!r}")


def check_rule(whose: str, rule: Any) -> None:
    """Check what `requires_approval` is. Raises TypeError: it is neither a bool nor a function of two arguments."""
    if isinstance(rule, bool):
        return
    is_function = callable(rule) and not inspect.isclass(rule)
    if not is_function or inspect.isgeneratorfunction(rule) or inspect.isasyncgenfunction(rule):
        raise TypeError(f"{whose}: requires_approval must be True, False or a function, got {rule!r}")
    try:
        inspect.signature(rule).bind({}, None)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{whose}: requires_approval must be a function f(arguments, ctx), got {rule!r}") from error


class ApprovalRule(Struct, frozen=True):
    """The function of a tool, as it is run within limits. Its result: whether the call needs a person."""

    name: str
    function: Callable[[dict[str, Any], ToolContext], Any]
    tool_seconds: float
    background: bool | None = None

    @property
    def timeout_seconds(self) -> float:
        """The limit of one decision, in seconds."""
        return min(self.tool_seconds, _LONGEST_SECONDS)

    async def run(
        self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread
    ) -> bool:
        decide = partial(self.function, copied_json(arguments), context)
        decided = (
            decide() if inspect.iscoroutinefunction(self.function) else await in_thread(call_in_thread, decide, {})
        )
        decided = await decided if inspect.isawaitable(decided) else decided
        if not isinstance(decided, bool):
            message = f"requires_approval of tool {self.name!r} returned {decided!r:.80}: it must return True or False"
            raise ToolError(message, type="no_decision")
        return decided
