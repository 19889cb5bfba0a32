"""One authorised request as the handlers see it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from baton_local.qstash.core.answer import Answer, bad_request
from baton_local.qstash.core.headers import HeaderMap
from baton_local.qstash.core.machine import Command, P
from baton_local.qstash.core.tenant import Tenant
from baton_local.qstash.engine import Engine

_TOKEN_KEY = "qstash_token"  # noqa: S105 - the name of a query key, not a token
_CONTROL_PREFIX = "upstash-"


@dataclass(frozen=True, slots=True)
class Call:
    """A request after routing and authorisation; `params` are the variable parts of the path, as sent."""

    engine: Engine
    user: str
    params: Mapping[str, str]
    query: str
    headers: HeaderMap
    body: bytes
    client_ip: str | None

    @property
    def tenant(self) -> Tenant:
        """The caller's own world."""
        return self.engine.state.tenant(self.user)

    async def execute(self, command: Command[P], *arguments: P.args, **options: P.kwargs) -> Answer:
        """Carry out a command of the caller; returns when its changes are on disk."""
        return await self.engine.execute(self.user, command, *arguments, **options)

    def query_pairs(self) -> list[tuple[str, str]]:
        """Return the query, without control keys."""
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=10_000)
        except ValueError as error:
            raise bad_request(f"query: {error}") from error
        return [(name, value) for name, value in pairs if not is_control_key(name)]

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"body: is not JSON ({str(error)[:200]})") from error


def is_control_key(name: str) -> bool:
    """Return whether a query key is meant for this server and not for the destination."""
    return name == _TOKEN_KEY or name.lower().startswith(_CONTROL_PREFIX)
