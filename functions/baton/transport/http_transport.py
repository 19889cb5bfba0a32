"""HTTP below the SDKs: one TLS context for the process, connections that outlive an invocation.

Invariant: the choice of client never changes the requests; proxies and CA files come from the environment either way
(HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE). It is our own client over httptools, but httpx through a proxy, and in a process
whose tests mock httpx (respx), which would not see ours. The caller sets the time limits; a transport belongs to the
event loop that it is used in.
"""

import ssl
import sys
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from baton.settings.settings import Settings

# Below a minute, after which load balancers close idle connections: a request is not written into a closing one.
_KEPT_SECONDS = 50
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=_KEPT_SECONDS)


@cache
def tls_context() -> ssl.SSLContext:
    """Return this process's one TLS context: reading the CA certificates takes some 18 ms."""
    return httpx.create_ssl_context()


def http_transport(settings: Settings, url: str) -> httpx.AsyncBaseTransport:
    """Make the transport of requests to `url`, without a time limit; it opens nothing before its first use."""
    proxy = _proxy(url)
    lean = settings.http_transport == "httptools" or (settings.http_transport == "auto" and "respx" not in sys.modules)
    if lean and proxy is None:
        from baton.transport.http1 import Http1Transport  # noqa: PLC0415 - not needed with httpx

        return Http1Transport(tls_context(), _LIMITS)
    return httpx.AsyncHTTPTransport(verify=tls_context(), limits=_LIMITS, proxy=proxy)


def _proxy(url: str) -> httpx.Proxy | None:
    """Return the environment's proxy for `url`: httpx reads it only in clients that make their own transport."""
    parts, proxies = urlsplit(url), getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    if not found or proxy_bypass(parts.netloc):
        return None
    return httpx.Proxy(found if "://" in found else f"http://{found}")
