"""An MCP server among an agent's tools: its address, our credentials, and its allowed tools. Data only.

Invariant: it is checked when it is made and never changes. Must not: import the SDK, or connect; `client` does so.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from baton.sdk.distribution import require_extra
from baton.sdk.records.call_limit import CallLimit, checked_all
from baton.sdk.tools.approval_rule import RequiresApproval, check_rule
from baton.sdk.tools.tool import ToolSource
from baton_events.values.durations import Duration, Given, seconds_of

_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,32}")
_LONGEST_LIST_SECONDS = 86_400


class McpContext(Struct, frozen=True):
    """The job on whose behalf a server is called: its tenant, its session, and the job itself."""

    tenant: str
    session_id: str = ""
    job_id: str = ""


Headers = Mapping[str, str] | Callable[[McpContext], Mapping[str, str]] | None


class ClientCredentials(Struct, frozen=True):
    """OAuth client credentials, by which a server's tokens are obtained.

    Attributes:
        client_id: our name at the authorization server.
        client_secret: our secret there.
        issuer: the authorization server that issued them; tokens are requested from no other.
        scope: the token's scopes, separated by spaces; empty: those that the server requires.
        hosts: further hosts of the authorization server, such as that of its token endpoint; no other is asked.
    """

    client_id: str
    client_secret: str
    issuer: str
    scope: str = ""
    hosts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ClientCredentials({self.client_id!r})"


@dataclass(frozen=True, eq=False)
class McpServer(ToolSource):
    """The tools of an MCP server, for `Agent(tools=[…])`.

    Attributes:
        url: of the server, with the protocol's streamable HTTP.
        headers: sent with each request; or a function that makes them from an `McpContext`, such as by tenant.
        prefix: a prefix of its tools' names.
        allow: the server's names of the tools to use; None: all.
        requires_approval: each call waits until a person has approved it; or a function, as of a tool.
        auth: OAuth client credentials.
        command: instead of `url`, the program to start and its arguments, for local development.
        timeout_seconds: limit of one attempt of a call.
        retries: attempts after the first, for tools that are read-only or idempotent by their annotations.
        list_seconds: the time that a list of tools is kept, unless the server sets one.
        call_limits: limits of its tools' calls, shared by all calls with the same key.
    """

    url: str = ""
    headers: Headers = field(default=None, repr=False)
    prefix: str = ""
    allow: Collection[str] | None = None
    requires_approval: RequiresApproval = False
    auth: ClientCredentials | None = None
    command: Sequence[str] = ()
    timeout_seconds: Given[Duration, float] = cast("Any", 30)  # noqa: RUF009 - a number
    retries: int = 2
    list_seconds: Given[Duration, int] = cast("Any", 60)  # noqa: RUF009 - a number
    call_limits: Sequence[CallLimit] = ()

    def __post_init__(self) -> None:
        """Refuse invalid values, and any where the SDK is not installed."""
        require_extra("mcp", "McpServer")
        if bool(self.url) == bool(self.command):
            raise ValueError("McpServer needs a url, or else a command: McpServer('https://example.com/mcp')")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError(f"McpServer: url must begin with https:// or http://, got {self.url!r}")
        if isinstance(self.command, str) or isinstance(self.allow, str):
            raise TypeError(f"McpServer({self.name!r}): command and allow must be lists of texts")
        if self.command and (self.headers or self.auth):
            raise ValueError(f"McpServer({self.name!r}): a command takes no headers and no auth; leave them out")
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                f"McpServer({self.name!r}): prefix {self.prefix!r} must be up to 32 letters, digits, '_' or '-'"
            )
        check_rule(f"McpServer({self.name!r})", self.requires_approval)
        seconds = seconds_of(self.timeout_seconds, f"McpServer({self.name!r}): timeout_seconds", above=0)
        object.__setattr__(self, "timeout_seconds", seconds)
        kept = seconds_of(self.list_seconds, f"McpServer({self.name!r}): list_seconds", _LONGEST_LIST_SECONDS)
        object.__setattr__(self, "list_seconds", ceil(kept))
        object.__setattr__(
            self, "call_limits", checked_all(f"McpServer({self.name!r}): call_limits", CallLimit, self.call_limits)
        )

    @property
    def name(self) -> str:
        """The name that messages for people use."""
        return self.without_secrets(self.url.partition("?")[0].partition("#")[0]) or " ".join(self.command)

    def __repr__(self) -> str:
        """Return a text without what the address may have of secrets."""
        return f"McpServer({self.name!r})"

    def without_secrets(self, text: str) -> str:
        """Return a text without the user and the query of our address."""
        parts = urlsplit(self.url)
        user, at, _ = parts.netloc.rpartition("@")
        for secret in (f"{user}{at}", f"?{parts.query}", f"?{unquote(parts.query)}"):
            text = text.replace(secret, "") if len(secret) > 1 else text
        return text

    def headers_for(self, context: McpContext) -> dict[str, str]:
        return dict((self.headers(context) if callable(self.headers) else self.headers) or {})

    def identity(self, context: McpContext) -> tuple[Any, ...]:
        """Return our identity for the server, which its list may depend on. Contains secrets: keep a digest only."""
        client = self.auth.client_id if self.auth else ""
        allowed = None if self.allow is None else tuple(sorted(self.allow))  # none and all are two lists
        headers = tuple(sorted(self.headers_for(context).items()))
        return self.url, tuple(self.command), client, headers, allowed
