"""Callbacks to clients: a signed POST, as Standard Webhooks has it, to an address that a submission names.

Invariant: it leads to no private address, whatever its name resolves to, and follows no redirect. Only a deployment on
this machine calls it back, unencrypted, too: a function's own host has ports for that function alone.

Source: https://github.com/standard-webhooks/standard-webhooks, version 1.0.0.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from baton.settings.readers import callback_key
from baton_events.setting import is_loopback

_LIMIT_CHARS = 2_000
_TIMEOUT_SECONDS = 15.0


def address_fault(url: str) -> str:
    """Return why this is no address for a callback, with the way out; empty: it is one, or leads to this machine."""
    try:
        parts, port_is_fine = urlsplit(url), urlsplit(url).port != 0
    except ValueError:
        return f"{url[:80]!r} is no URL: write https://example.com/path"
    host = parts.hostname or ""
    if not _is_host(host) or not port_is_fine or len(url) > _LIMIT_CHARS or not url.isprintable() or " " in url:
        return f"{url[:80]!r} is no URL of at most {_LIMIT_CHARS} characters: write https://example.com/path"
    if parts.username is not None or parts.password is not None:
        return "a callback's URL has no user or password in it: the signature says who sends it"
    if is_loopback(url) and parts.scheme in ("http", "https"):
        return ""
    if parts.scheme != "https":
        return f"{url[:80]!r} must be a URL with https; http leads to this machine only"
    return f"host {host!r} is a private address: name a public one" if _is_private(host) else ""


def _is_host(host: str) -> bool:
    """Return whether a name of this form could be one of a host, in any script, or an address."""
    return ":" in host or bool(re.fullmatch(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", host))


def _is_private(host: str) -> bool:
    from baton.sdk.tools.builtin.fetch_policy import refusal  # noqa: PLC0415 - it loads httpx, and few jobs have a callback

    try:
        ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdecimal() or host.startswith("0x")  # a number in disguise
    return bool(refusal(host, allow_private=False))


def signed_headers(secret: str, message_id: str, now_ms: int, body: bytes) -> dict[str, str]:
    timestamp = str(now_ms // 1000)
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.new(callback_key(secret), content, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


class Callbacks(Protocol):
    async def send(self, url: str, headers: dict[str, str], body: bytes) -> str:
        """Send one; return why it was not taken, empty: it was."""
        ...


class HttpCallbacks:
    """`Callbacks` over HTTP. `base_url`: of this deployment; only one on this machine may call back to this machine.

    `resolver`: finds the addresses of a host; None: the operating system does.
    """

    def __init__(self, base_url: str = "", resolver: Callable[[str, int], Awaitable[list[str]]] | None = None) -> None:
        self._is_local = is_loopback(base_url)
        self._resolver = resolver

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> str:
        """Send one; its address is checked as the connection is made."""
        import httpx  # noqa: PLC0415 - few jobs have a callback

        from baton.sdk.tools.builtin.pinned_transport import PinnedTransport, system_resolver  # noqa: PLC0415
        from baton.sdk.tools.tool_error import ToolError  # noqa: PLC0415

        allow_private = self._is_local and is_loopback(url)
        transport = PinnedTransport(allow_private=allow_private, resolver=self._resolver or system_resolver)
        try:
            async with (
                asyncio.timeout(_TIMEOUT_SECONDS),
                httpx.AsyncClient(transport=transport, follow_redirects=False, timeout=_TIMEOUT_SECONDS) as client,
                client.stream("POST", url, headers=headers, content=body) as response,
            ):
                return "" if response.is_success else f"it answered {response.status_code}"
        except TimeoutError:
            return f"no answer within {_TIMEOUT_SECONDS:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:  # a name that is no host's, too
            return f"it cannot be reached ({type(error).__name__})"
        except ToolError as error:
            return error.message
