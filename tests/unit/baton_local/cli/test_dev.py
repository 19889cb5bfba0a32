"""What `baton dev` prints and refuses; its life as a process is tested in tests/e2e."""

import asyncio
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import respx
from click.testing import CliRunner

from baton_local.cli.dev import open_console, ready_text
from baton_local.cli.main import main
from baton_local.dev.data_folder import DevFile

STACK = DevFile(
    app_url="http://127.0.0.1:1",
    qstash_url="http://127.0.0.1:2",
    redis_url="http://127.0.0.1:3",
    vector_url="http://127.0.0.1:4",
    qstash_token="qt",
    redis_token="rt",
    vector_token="vt",
    client_key="bk_client_x",
    admin_key="bk_admin_y",
    operations_key="ok",
    qstash_current_signing_key="sig_1",
    qstash_next_signing_key="sig_2",
    processes={},
    settings={"MAX_CONCURRENT_JOBS": "3"},
)


def test_a_person_sees_addresses_keys_and_one_line_to_try() -> None:
    text = ready_text(STACK, Path(".baton/dev"), None)
    urls = (STACK.app_url, STACK.qstash_url, STACK.redis_url, STACK.vector_url)
    for shown in (*urls, STACK.client_key, STACK.admin_key, "dev.json", "3 jobs"):
        assert shown in text
    assert sum(line.strip().startswith("curl ") for line in text.splitlines()) == 1
    assert '"jobType": "research"' in text


def test_somebodys_own_agents_are_tried_by_command() -> None:
    """The samples' question would mean nothing to them."""
    text = ready_text(STACK, Path(".baton/dev"), "functions.agents:registry")
    assert 'baton jobs submit AN_AGENT_OF_YOURS "a task for it" --watch' in text
    assert "curl " not in text
    assert f"{STACK.redis_url} (REST)" in text
    straight = replace(STACK, redis_url="", store_url="unix:///valkey.sock")
    assert "unix:///valkey.sock (RESP)" in ready_text(straight, Path(".baton/dev"), None)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [("--app", "nocolon", "MODULE:ATTR"), ("--app", ":registry", "MODULE:ATTR"), ("--app", "module:", "MODULE:ATTR"),
     ("--app", "", "MODULE:ATTR"), ("--port", "70000", "70000")],
)  # fmt: skip
def test_wrong_use_starts_nothing(option: str, value: str, why: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["dev", "--data", str(tmp_path / "data"), option, value])
    assert result.exit_code == 2
    assert why in result.output
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_used_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["dev", "--data", str(tmp_path / "file" / "below"), "--port", "0"])
    assert result.exit_code == 1
    assert "cannot be a data folder" in result.output
    assert "Traceback" not in result.output


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
