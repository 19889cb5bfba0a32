"""`baton dev --open`: a link that logs a browser of this machine in to the console, once.

The link leads to this process, which logs in with the admin key and hands the session's cookie on: a cookie is a
host's, whatever the port. Invariant: the link works for one request, within a minute, on loopback; the key is in no
address. The app itself has no such way in.
"""

import asyncio
import contextlib
import secrets
import webbrowser
from collections.abc import Callable

import httpx

from baton_local.dev.data_folder import DevFile
from baton_local.dev.ports import LOOPBACK

LIFE_SECONDS = 60.0
_REQUEST_SECONDS = 5.0
_GONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def open_console(stack: DevFile, show: Callable[[str], object] = webbrowser.open) -> None:
    """Show the link, and return when it has been used or its time is up."""
    path, used = f"/{secrets.token_urlsafe(24)}", asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                asked = (await reader.readline()).split(b" ")[:2]
                if used.is_set() or asked[0] != b"GET" or not secrets.compare_digest(asked[-1], path.encode()):
                    writer.write(_GONE.encode())
                else:
                    used.set()
                    writer.write((await _logged_in(stack)).encode())
                await writer.drain()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    async with server:
        link = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}{path}"
        await asyncio.to_thread(show, link)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(used.wait(), LIFE_SECONDS)


async def _logged_in(stack: DevFile) -> str:
    """Return the answer that takes the browser to the console, with the cookie of a session of its own."""
    async with httpx.AsyncClient(trust_env=False) as http:
        login = await http.post(f"{stack.app_url}/console/login", data={"key": stack.admin_key})
    head = ("HTTP/1.1 303 See Other", f"Location: {stack.app_url}/console", "Referrer-Policy: no-referrer")
    cookie = (f"Set-Cookie: {login.headers.get('set-cookie', '')}", "Content-Length: 0", "Connection: close")
    return "\r\n".join((*head, *cookie, "", ""))
