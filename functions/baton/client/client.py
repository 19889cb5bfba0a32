"""The two clients: one for asyncio, one that blocks. Both have the same calls with the same arguments.

Invariant: a call is written once, in `job_calls`, `approval_calls` or `other_calls`; the blocking client runs it to its
end.
"""

import os
import re
from datetime import timedelta
from types import TracebackType
from typing import Self

import httpx

from baton.client.exchange import AsyncExchange, BlockingExchange, Exchange, blocking, finished, iterating
from baton.client.job_calls import ApprovalCalls, Calls, JobCalls, RunCalls
from baton.client.other_calls import BudgetCalls, EventCalls, SessionCalls
from baton.client.requests import Requests, seconds_sent

_TIMEOUT_SECONDS, _RETRY_SECONDS = 60.0, 30.0
_KEY = r"[!#-&(-~]*"  # what a header takes; it is not shown


class _Calls(JobCalls, RunCalls, ApprovalCalls, EventCalls, SessionCalls, BudgetCalls):
    """All calls."""


def _requests(
    exchange: Exchange, url: str | None, keys: tuple[str | None, str | None], retry_seconds: float | timedelta
) -> Requests:
    environment = os.environ  # noqa: TID251 - the settings of a deployment are not those of its callers
    address = url if url is not None else environment.get("BATON_URL", "")
    key = keys[0] if keys[0] is not None else environment.get("BATON_API_KEY", "")
    operations_key = keys[1] if keys[1] is not None else environment.get("OPERATIONS_API_KEY", "")
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(f"url {address!r} is no address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise ValueError(f"url is {address!r}: pass an address such as https://x.example, or set BATON_URL")
    key, operations_key = key.strip(), operations_key.strip()  # a file of a secret ends with a line break
    for name, value in (("key", key), ("operations_key", operations_key)):
        if not re.fullmatch(_KEY, value):
            raise ValueError(f"{name} is not one word of ASCII letters, digits and signs, without quotation marks")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {"x-api-key": operations_key} if operations_key else {}
    return Requests(exchange, address.rstrip("/"), headers, seconds_sent(retry_seconds, "retry_seconds"))


class AsyncBatonClient(_Calls):
    """A deployment's API, for asyncio: `async with AsyncBatonClient() as client: ...`.

    Args:
        url: the address; default: BATON_URL.
        key: an API key; default: BATON_API_KEY. Approvals need an admin's.
        operations_key: for operations alone; default: OPERATIONS_API_KEY.
        timeout_seconds: the time after which a silent connection counts as lost.
        retry_seconds: the sum of a request's pauses before it fails; 0: no retries.
        transport: another way to send requests, for tests and proxies.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        operations_key: str | None = None,
        timeout_seconds: float | timedelta = _TIMEOUT_SECONDS,
        retry_seconds: float | timedelta = _RETRY_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        exchange = AsyncExchange(seconds_sent(timeout_seconds, "timeout_seconds", above=0), transport)
        super().__init__(_requests(exchange, url, (key, operations_key), retry_seconds))

    async def close(self) -> None:
        await self._requests.exchange.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class BatonClient:
    """A deployment's API, for programs without asyncio: `with BatonClient() as client: ...`.

    Arguments are those of `AsyncBatonClient`. Threads may share a client.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        operations_key: str | None = None,
        timeout_seconds: float | timedelta = _TIMEOUT_SECONDS,
        retry_seconds: float | timedelta = _RETRY_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._exchange = BlockingExchange(seconds_sent(timeout_seconds, "timeout_seconds", above=0), transport)
        self._calls = _Calls(_requests(self._exchange, url, (key, operations_key), retry_seconds))

    submit = blocking(JobCalls.submit)
    get = blocking(JobCalls.get)
    jobs = iterating(JobCalls.jobs)
    wait = blocking(JobCalls.wait)
    stream = iterating(JobCalls.stream)
    cancel = blocking(JobCalls.cancel)
    retry = blocking(JobCalls.retry)
    delete = blocking(JobCalls.delete)

    fork = blocking(RunCalls.fork)
    diff = blocking(RunCalls.diff)
    result = blocking(RunCalls.result)
    recording = blocking(RunCalls.recording)
    model_messages = blocking(RunCalls.model_messages)
    score = blocking(RunCalls.score)

    checkpoints = blocking(ApprovalCalls.checkpoints)
    approvals = iterating(ApprovalCalls.approvals)
    approve = blocking(ApprovalCalls.approve)
    reject = blocking(ApprovalCalls.reject)
    approval_link = blocking(ApprovalCalls.approval_link)

    send_event = blocking(EventCalls.send_event)
    emit = blocking(EventCalls.emit)
    event = blocking(EventCalls.event)
    operation = blocking(EventCalls.operation)
    complete_operation = blocking(EventCalls.complete_operation)
    create_schedule = blocking(EventCalls.create_schedule)
    schedules = blocking(EventCalls.schedules)
    schedule = blocking(EventCalls.schedule)
    change_schedule = blocking(EventCalls.change_schedule)
    delete_schedule = blocking(EventCalls.delete_schedule)

    chat = iterating(SessionCalls.chat)
    resume_chat = iterating(SessionCalls.resume_chat)
    session = blocking(SessionCalls.session)
    cancel_session = blocking(SessionCalls.cancel_session)
    delete_session = blocking(SessionCalls.delete_session)
    forget_session = blocking(SessionCalls.forget_session)
    erase_subject = blocking(SessionCalls.erase_subject)
    session_file = blocking(SessionCalls.session_file)
    stream_token = blocking(SessionCalls.stream_token)

    budgets = iterating(BudgetCalls.budgets)
    set_budget = blocking(BudgetCalls.set_budget)
    clear_budget = blocking(BudgetCalls.clear_budget)

    request = blocking(Calls.request)

    def close(self) -> None:
        finished(self._exchange.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
