"""One authorised request as the handlers see it, and what they answer."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from baton_local.stand_in.asgi import Send, send_json
from baton_local.vector.core.errors import malformed
from baton_local.vector.engine import Engine


@dataclass(frozen=True, slots=True)
class Call:
    """A request after routing and authorisation."""

    engine: Engine
    namespace: str
    query_keys: frozenset[str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; NaN and infinity, which Python would take, are none."""
        if not self.body:
            raise malformed("body: is empty; send JSON")
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise malformed(f"body: is not JSON ({str(error)[:200]})") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, and how many operations it counts for (vector-rest.md 9)."""

    result: Any
    operations: int = 1


Handler = Callable[[Call], Awaitable[Answer]]


async def send_error(send: Send, status: int, message: str) -> None:
    """Answer in the service's form of an error (vector-rest.md 1)."""
    await send_json(send, status, {"error": message, "status": int(status)})
