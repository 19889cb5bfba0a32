"""The link of `baton dev --open` logs one browser in, once."""

import asyncio
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest
import respx

from baton_local.cli.opening import open_console
from tests.unit.baton_local.cli.test_dev import STACK


def visit(link: str) -> HTTPResponse:
    at = urlsplit(link)
    browser = HTTPConnection(str(at.hostname), at.port)
    browser.request("GET", at.path)
    return browser.getresponse()


async def test_the_link_logs_in_once(respx_mock: respx.MockRouter) -> None:
    """The browser gets the session's cookie, and never the key; another address is nothing, and changes nothing."""
    cookie = "baton_console=signed; HttpOnly; Path=/"
    login = respx_mock.post(f"{STACK.app_url}/console/login").respond(303, headers={"set-cookie": cookie})
    shown, loop = asyncio.Queue[str](), asyncio.get_running_loop()
    opening = asyncio.create_task(open_console(STACK, lambda link: loop.call_soon_threadsafe(shown.put_nowait, link)))
    link = await shown.get()
    wrong = await asyncio.to_thread(visit, f"{link}x")
    right = await asyncio.to_thread(visit, link)
    await opening
    assert wrong.status == 404
    assert (right.status, right.getheader("location")) == (303, f"{STACK.app_url}/console")
    assert right.getheader("set-cookie") == cookie
    assert login.calls.last.request.content == b"key=bk_admin_y"
    assert STACK.admin_key not in str(right.getheaders())
    with pytest.raises(ConnectionRefusedError):
        await asyncio.to_thread(visit, link)
