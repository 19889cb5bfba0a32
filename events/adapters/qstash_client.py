"""One client of the official QStash SDK, made on first use; what goes wrong with it has a name of ours.

The SDK's own retries are off: they take up to half a minute.
"""

import asyncio
import re
from collections.abc import Awaitable
from typing import TypeVar

import httpx
from qstash import AsyncQStash
from qstash.errors import QStashError

from events.errors import (
    MessageNotFoundError,
    PublishError,
    QueueRefusedError,
    QueueUnauthorizedError,
    QueueUnreachableError,
    TopicNotFoundError,
)
from events.settings import Settings, require

_STATUS = re.compile(r"status: (\d{3})")
_Answer = TypeVar("_Answer")


class QStashClient:
    """A connection to the queue."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AsyncQStash | None = None

    @property
    def sdk(self) -> AsyncQStash:
        """The SDK's client."""
        if self._client is None:
            require(self._settings, "QSTASH_TOKEN")
            self._client = AsyncQStash(self._settings.qstash_token, retry=False, base_url=self._settings.qstash_url)
        return self._client

    async def ask(self, request: Awaitable[_Answer], topic: str = "") -> _Answer:
        """The answer of a request; `topic`: what a 404 is about.

        Raises:
            TopicNotFoundError, MessageNotFoundError, QueueUnauthorizedError, QueueUnreachableError, PublishError.
        """
        where = self._settings.qstash_url
        try:
            async with asyncio.timeout(self._settings.queue_timeout_seconds):
                return await request
        except TimeoutError as error:
            reason = f"nothing within {self._settings.queue_timeout_seconds} s"
            raise QueueUnreachableError(where, reason) from error
        except httpx.HTTPError as error:
            raise QueueUnreachableError(where, type(error).__name__) from error
        except QStashError as error:
            raise _named(error, topic, where) from error
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            # What the SDK raises when the answer is not what the queue's API promises.
            raise PublishError(f"no usable answer from the queue at {where} ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            # The SDK has no close of its own; without this each client leaks its connection pool.
            await client.http._client.aclose()  # noqa: SLF001


def _named(error: QStashError, topic: str, where: str) -> PublishError:
    found = _STATUS.search(str(error))
    status = int(found.group(1)) if found else 0
    if status == httpx.codes.UNAUTHORIZED:
        return QueueUnauthorizedError(where)
    if status == httpx.codes.NOT_FOUND and topic:
        return TopicNotFoundError(topic)
    if status == httpx.codes.NOT_FOUND:
        return MessageNotFoundError(f"the queue at {where} knows no such thing: {str(error)[:300]}")
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.PRECONDITION_FAILED, httpx.codes.UNPROCESSABLE_ENTITY):
        return QueueRefusedError(f"the queue at {where} refused the message: {str(error)[:300]}")
    return PublishError(f"the queue at {where} refused the message: {str(error)[:300]}")
