"""The step that a hook runs in, for hooks that touch the outside: a key for each effect, and whether it may be there.

Invariant: a repeated step gives its hooks the keys that it gave them before, also after a crash. Must not: run a hook.
"""

import inspect
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from baton_events.ids import key_digest


@dataclass(frozen=True, kw_only=True)
class HookContext:
    """The effect that a hook makes.

    Attributes:
        job_id: the job.
        idempotency_key: the same wherever the step is repeated, also after a crash. A step is a request or a call.
        repeated: whether the step has begun before: a process died in it, or an attempt failed.
    """

    job_id: str
    idempotency_key: str
    repeated: bool


@dataclass
class _Step:
    job_id: str
    key: str
    repeated: bool
    asked: Counter[str] = field(default_factory=Counter[str])


_STEP: ContextVar[_Step] = ContextVar("baton_hook_step")


@contextmanager
def in_step(job_id: str, key: str, *, repeated: bool) -> Iterator[None]:
    """Set the step of the hooks that run here."""
    token = _STEP.set(_Step(job_id, key, repeated))
    try:
        yield
    finally:
        _STEP.reset(token)


def hook_context() -> HookContext:
    """Return the effect that the calling function is about to make; each call in a step is an effect of its own.

    Raises LookupError: no step of a durable agent runs here.
    """
    step = _STEP.get(None)
    if step is None:
        raise LookupError("hook_context() is for hooks of a durable agent: none runs here")
    frame = inspect.currentframe()
    caller = frame and frame.f_back  # a hook that runs in some attempts alone must not shift the keys of others
    hook = f"{caller.f_globals.get('__name__')}:{caller.f_code.co_qualname}" if caller else ""
    step.asked[hook] += 1
    key = key_digest("hook", step.key, hook, step.asked[hook])
    return HookContext(job_id=step.job_id, idempotency_key=key, repeated=step.repeated)
