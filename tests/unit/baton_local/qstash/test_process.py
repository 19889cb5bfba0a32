import resource
import socket
import sys
from pathlib import Path

import httpx
import pytest

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.unit.baton_local.qstash.server_process import ServerProcess

pytestmark = pytest.mark.e2e
DEFAULT = DEVELOPMENT_USERS[0]
HEADERS = {"Authorization": f"Bearer {DEFAULT.token}"}
NOWHERE = "http://127.0.0.1:9/"


def test_signal_stops_it_cleanly_while_an_attempt_hangs(tmp_path: Path) -> None:
    """Other signals, and the other stand-ins: tests/contract/coverage/test_start_up.py."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ServerProcess(tmp_path) as server:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        httpx.post(f"{server.url}/v2/publish/{url}", headers=HEADERS, content=b"x").raise_for_status()
        assert server.stop() == (0, "")


@pytest.mark.parametrize("by", ["option", "environment"])
def test_own_token_and_keys_are_served_instead_of_the_development_users(tmp_path: Path, by: str) -> None:
    """The published token is refused, as a header and as a query parameter; what came in silence is not printed."""
    given = {"token": "mine", "current-signing-key": "sig_a", "next-signing-key": "sig_b"}
    options = [word for name, value in given.items() for word in (f"--{name}", value)] if by == "option" else []
    settings = {f"LOCAL_QSTASH_{name.upper().replace('-', '_')}": value for name, value in given.items()}
    with ServerProcess(tmp_path, *options, environment=None if options else settings) as server:
        assert ("export QSTASH_TOKEN=mine" in server.banner) == (by == "option")
        keys = httpx.get(f"{server.url}/v2/keys", headers={"Authorization": "Bearer mine"}).json()
        assert keys == {"current": "sig_a", "next": "sig_b"}
        assert httpx.get(f"{server.url}/v2/keys", headers=HEADERS).status_code == 401
        assert httpx.post(f"{server.url}/v2/publish/http://h/?qstash_token={DEFAULT.token}").status_code == 401


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_has_a_plateau(tmp_path: Path) -> None:
    """What is finished is on disk, and not in memory, too: eight thousand messages more cost next to nothing."""
    item = {"destination": "http://h/", "body": "x" * 1_000, "headers": {"Upstash-Delay": "1h"}}
    with ServerProcess(tmp_path, "--no-sync") as server:
        sizes: list[int] = []
        for _ in range(12):
            httpx.post(f"{server.url}/v2/batch", headers=HEADERS, json=[item] * 1_000, timeout=60).raise_for_status()
            httpx.delete(f"{server.url}/v2/messages", headers=HEADERS, timeout=60).raise_for_status()
            sizes.append(int(Path(f"/proc/{server.pid}/statm").read_text().split()[1]) * resource.getpagesize())
        assert sizes[-1] - sizes[3] < 5_000_000


def test_banner_shows_rotated_keys(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        rotated = httpx.post(f"{server.url}/v2/keys/rotate", headers=HEADERS).json()
        server.stop()
    with ServerProcess(tmp_path) as server:
        assert f"export QSTASH_CURRENT_SIGNING_KEY={rotated['current']}" in server.banner
        assert f"export QSTASH_NEXT_SIGNING_KEY={rotated['next']}" in server.banner


def test_used_port_and_used_folder_are_clear_errors(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "a") as first:
        with ServerProcess(tmp_path / "b", port=first.port) as second:
            code, shown = second.wait()
            assert code == 1
            assert "--port" in shown
        with ServerProcess(tmp_path / "a") as third:
            code, shown = third.wait()
            assert code == 1
            assert "--data" in shown
            assert str(first.pid) in shown
            assert "Traceback" not in shown


def test_silent_destination_blocks_nobody(tmp_path: Path) -> None:
    """Hundreds of messages for one that never answers leave the way free for others."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1) as silent,
        socket.create_server(("127.0.0.1", 0)) as lively,
        ServerProcess(tmp_path, "--no-sync") as server,
    ):
        items = [{"destination": f"http://127.0.0.1:{silent.getsockname()[1]}/", "body": "x"}] * 600
        httpx.post(f"{server.url}/v2/batch", headers=HEADERS, json=items).raise_for_status()
        url = f"http://127.0.0.1:{lively.getsockname()[1]}/"
        httpx.post(f"{server.url}/v2/publish/{url}", headers=HEADERS, content=b"x").raise_for_status()
        lively.settimeout(10)
        connection, _ = lively.accept()
        connection.close()


def test_wrong_use_is_exit_code_2(tmp_path: Path) -> None:
    """Half a pair of keys, a scale of nothing, or no place for a destination is refused."""
    for arguments in (("--current-signing-key", "x"), ("--time-scale", "0"), ("--in-flight", "1"), ("--port", "x")):
        with ServerProcess(tmp_path, *arguments) as server:
            code, shown = server.wait()
            assert code == 2
            assert "error" in shown


@pytest.mark.parametrize("by", ["option", "environment"])
def test_how_many_deliveries_are_under_way_at_once_may_be_chosen(tmp_path: Path, by: str) -> None:
    """One destination gets half of them: of two messages the second one waits until the first is over."""
    option, environment = (("--in-flight", "2"), None) if by == "option" else ((), {"LOCAL_QSTASH_IN_FLIGHT": "2"})
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        ServerProcess(tmp_path, *option, environment=environment) as server,
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        for _ in range(2):
            httpx.post(f"{server.url}/v2/publish/{url}", headers=HEADERS, content=b"x").raise_for_status()
        silent.settimeout(10)
        first, _ = silent.accept()
        silent.settimeout(0.5)
        with first, pytest.raises(TimeoutError):
            silent.accept()
