"""HTTP below the SDKs: one TLS context for the process, connections that outlive an invocation.

Invariant: the choice of client never changes the requests; proxies (baton_events/proxies.py) and CA files
(SSL_CERT_FILE) come from the environment either way. It is our own client over httptools, but httpx through a proxy,
and in a process whose tests mock httpx (respx), which would not see ours. The caller sets the time limits; a transport
belongs to the event loop that it is used in.
"""

import sys

import httpx

from baton.settings.settings import Settings
from baton_events.bounded import OWN_LIMIT_BYTES
from baton_events.proxies import AsyncEnvironmentTransport, proxy_for, tls_context

# Below a minute, after which load balancers close idle connections: a request is not written into a closing one.
_KEPT_SECONDS = 50
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=_KEPT_SECONDS)


def http_transport(settings: Settings, url: str) -> httpx.AsyncBaseTransport:
    """Make the transport of requests to `url`, without a time limit; it opens nothing before its first use."""
    lean = settings.http_transport == "httptools" or (settings.http_transport == "auto" and "respx" not in sys.modules)
    if lean and proxy_for(url) is None:
        from baton.store.transport.http1 import Http1Transport  # noqa: PLC0415 - not needed with httpx

        return Http1Transport(tls_context(), _LIMITS)
    return AsyncEnvironmentTransport(_LIMITS, limit_bytes=OWN_LIMIT_BYTES)
