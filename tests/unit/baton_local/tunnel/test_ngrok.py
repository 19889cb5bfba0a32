from pathlib import Path

import httpx
import pytest
import respx

from baton_local.cli.place import put_line
from baton_local.cli.tunnel import API_URL, Agent, command_of
from baton_local.dev.stack_error import StackError

TUNNELS = f"{API_URL}/api/tunnels"


def tunnel(public: str, local: str) -> dict[str, object]:
    return {"name": "x", "public_url": public, "proto": "https", "config": {"addr": local, "inspect": True}}


@pytest.mark.parametrize("local", ["http://localhost:8090", "localhost:8090", "8090", "http://127.0.0.1:8090/"])
async def test_the_https_tunnel_to_the_port_is_found(local: str) -> None:
    """However its address is written, and whatever else is open."""
    found = [
        tunnel("http://a.ngrok.app", local),
        tunnel("https://b.ngrok.app", "http://localhost:80"),
        tunnel("https://c.ngrok.app/", local),
        tunnel("tcp://d.ngrok.app:1234", "localhost:22"),
    ]
    with respx.mock:
        respx.get(TUNNELS).respond(json={"tunnels": found})
        assert await Agent(API_URL).address_of(8090) == "https://c.ngrok.app"


async def test_a_tunnel_to_another_port_is_reported() -> None:
    with respx.mock:
        respx.get(TUNNELS).respond(json={"tunnels": [tunnel("https://b.ngrok.app", "http://localhost:18090")]})
        with pytest.raises(
            StackError, match=r"does not lead to port 8090 \(https://b.ngrok.app → http://localhost:18090"
        ):
            await Agent(API_URL).address_of(8090)


async def test_an_agent_that_is_not_there_or_not_connected_has_no_address() -> None:
    with respx.mock:
        respx.get(TUNNELS).mock(side_effect=httpx.ConnectError("refused"))
        assert await Agent(API_URL).tunnels() is None
        respx.get(TUNNELS).respond(json={"tunnels": []})
        assert await Agent(API_URL).tunnels() == {}
        assert await Agent(API_URL).address_of(8090) is None


@pytest.mark.parametrize(
    "answer", [httpx.Response(404), httpx.Response(200, text="<html>"), httpx.Response(200, json=[])]
)
async def test_another_program_on_its_port_is_reported(answer: httpx.Response) -> None:
    with respx.mock:
        respx.get(TUNNELS).mock(return_value=answer)
        with pytest.raises(StackError, match="does not answer as ngrok does: name its API with --ngrok-api"):
            await Agent(API_URL).tunnels()


def test_ngrok_is_started_from_the_path_and_never_fetched(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"not on PATH: install it \(https://ngrok.com/download\)"):
        command_of(8090, str(tmp_path))
    program = tmp_path / "ngrok"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert command_of(8090, str(tmp_path)) == (str(program), "http", "8090", "--log", "stdout")


TEXT = "# comment\nA=1\nWORKER_BASE_URL=https://old.example.com\n\nB='two words'\n"


def test_a_variable_is_changed_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(TEXT)
    assert put_line(path, "WORKER_BASE_URL", "https://new.example.com") == "https://old.example.com"
    assert path.read_text() == TEXT.replace("old", "new")


def test_a_variable_that_is_not_there_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o600)
    assert put_line(path, "WORKER_BASE_URL", "https://new.example.com") == ""
    assert path.read_text() == "A=1\nWORKER_BASE_URL=https://new.example.com\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"set WORKER_BASE_URL=https://x\.example\.com there yourself"):
        put_line(tmp_path, "WORKER_BASE_URL", "https://x.example.com")
