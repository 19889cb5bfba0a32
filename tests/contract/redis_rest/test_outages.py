"""The server killed, restarted, frozen, slow, with no room for its file; the programs' own life (redis-rest.md 10)."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from baton_local.redis.valkey import server_address, server_command
from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis, free_of_processes


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[LocalRedis]:
    with LocalRedis(tmp_path / "data") as running:
        yield running
    assert free_of_processes(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts the real server as a supervisor would, from its command list."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(server_command(tmp_path / "data")))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def bridge(tmp_path: Path) -> LocalRedis:
    return LocalRedis(tmp_path, "--server", str(server_address(tmp_path / "data")))


def wait_until_back(redis: LocalRedis) -> None:
    """Return when commands succeed again; every answer until then is a prompt JSON 5xx."""
    for _ in range(400):
        answer = redis.http.post("/", json=["PING"], timeout=60)
        if answer.status_code == 200:
            return
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("ERR ")
        time.sleep(0.02)
    raise AssertionError("the server did not come back")


def first_status(url: str) -> int:
    for _ in range(400):
        try:
            return httpx.get(url).status_code
        except httpx.ConnectError:
            time.sleep(0.02)
    raise AssertionError(f"nobody listens at {url}")


def test_acknowledged_writes_survive_a_killed_server(own_redis: LocalRedis) -> None:
    """SIGKILL, then a restart from the append-only file; the bridge finds the new one by itself."""
    for number in range(200):
        own_redis.command("SET", f"k{number}", str(number))
    before = own_redis.server_pid()
    os.kill(before, signal.SIGKILL)
    wait_until_back(own_redis)
    assert own_redis.server_pid() != before
    assert own_redis.command("MGET", *[f"k{number}" for number in range(200)]) == [str(n) for n in range(200)]


async def test_commands_in_flight_are_answered_and_not_sent_again(
    server: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """A frozen server is killed: those who waited get 503, and the restarted one has not seen their command."""
    first = server()
    with bridge(tmp_path) as redis:
        redis.command("SET", "n", "0")
        first.send_signal(signal.SIGSTOP)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=redis.url, headers=headers, timeout=120) as client:
            waiting = [asyncio.create_task(client.post("/", json=["INCR", "n"])) for _ in range(5)]
            await asyncio.sleep(0.3)
            assert not any(task.done() for task in waiting)
            first.kill()
            first.wait()
            answers = await asyncio.gather(*waiting)
        assert [answer.status_code for answer in answers] == [503] * 5
        assert all("may or may not have been applied" in answer.json()["error"] for answer in answers)
        ready = redis.http.get("/readyz")
        assert (ready.status_code, ready.json()["error"][:17]) == (503, "ERR no connection")
        assert redis.http.get("/admin/counters").status_code == 503
        assert redis.http.post("/subscribe/c").status_code == 503
        assert redis.post(["WAITAOF", "1", "0", "0"]).status_code == 503
        server()
        wait_until_back(redis)
        assert redis.command("GET", "n") == "0"
        assert redis.stop()[0] == 0


def test_the_bridge_alone_is_ready_when_its_server_is(
    server: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """Started first it listens and answers 503; the ready lines wait until a command would succeed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    where = ("--server", str(server_address(tmp_path / "data")), "--port", port, "--token", TOKEN)
    command = [sys.executable, "-m", "baton_local.redis", *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert first_status(f"{url}/readyz") == 503
        behind = server()
        assert [process.stdout.readline().strip() for _ in range(3)] == [
            f"Redis REST listening on {url}",
            f"export UPSTASH_REDIS_REST_URL={url}",
            f"export UPSTASH_REDIS_REST_TOKEN={TOKEN}",
        ]
        assert first_status(f"{url}/readyz") == 200
        process.terminate()
    assert process.returncode == 0
    assert behind.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, the server gone, an open stream and an idle connection notwithstanding."""
    with LocalRedis(tmp_path / "data") as redis:
        redis.command("SET", "k", "v")
        with httpx.stream("POST", f"{redis.url}/subscribe/c", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status_code == 200
            redis.process.send_signal(number)
            assert redis.process.wait(timeout=120) == 0
    assert free_of_processes(tmp_path)
    with LocalRedis(tmp_path / "data") as again:
        assert again.command("GET", "k") == "v"


def test_a_killed_parent_takes_the_server_with_it(tmp_path: Path) -> None:
    with LocalRedis(tmp_path / "data") as redis:
        redis.process.kill()
        redis.process.wait()
        for _ in range(250):
            if not free_of_processes(tmp_path):
                time.sleep(0.02)
        assert free_of_processes(tmp_path)


def test_what_cannot_start_says_why(own_redis: LocalRedis, tmp_path: Path) -> None:
    """A data folder serves one process; a taken port, and wrong use: with the way out, and the first goes on."""
    port, folder = own_redis.url.rpartition(":")[2], str(tmp_path / "data")
    in_use = f"is in use by process {own_redis.server_pid()}"
    for arguments, code, words in (
        (("baton_local.redis", "--port", "0", "--data", folder), 1, (in_use, "--data")),
        (("baton_local.redis", "--port", port, "--data", f"{folder}2"), 1, ("choose another port with --port",)),
        (("baton_local.redis", "--server", "x", "--token", "t"), 2, ("unix:/path/to/socket or host:port",)),
    ):
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert (done.returncode, all(word in done.stderr for word in words)) == (code, True), done.stderr
    assert own_redis.command("PING") == "PONG"
    assert own_redis.http.get("/admin/faults").status_code == 404  # without --faults


ROOM_BYTES = 1_000_000
VALUE = "x" * 20_000


def wait_until_written(redis: LocalRedis) -> None:
    """Until the last write stands in the file, or cannot: while a slow disk syncs, the server keeps them for 2 s."""
    for _ in range(500):
        shown = redis.command("INFO", "persistence").split()
        if {"aof_pending_bio_fsync:0", "aof_buffer_length:0"} <= set(shown) or "aof_last_write_status:err" in shown:
            return
        time.sleep(0.01)
    raise AssertionError("nothing is written for 5 s")


@pytest.mark.skipif(sys.platform != "linux", reason="sets the limits of another process")
def test_a_full_disk_costs_the_one_write_that_met_it(tmp_path: Path) -> None:
    """Valkey runs a command, fails to write it down, answers it, and refuses what comes after."""
    with LocalRedis(tmp_path / "data") as redis:
        resource.prlimit(redis.server_pid(), resource.RLIMIT_FSIZE, (ROOM_BYTES, resource.RLIM_INFINITY))
        kept: list[str] = []
        while (answer := redis.post(["SET", f"k{len(kept)}", VALUE])).status_code == 200:
            kept.append(f"k{len(kept)}")
            wait_until_written(redis)
        assert "MISCONF" in answer.json()["error"]
        assert redis.command("GET", "k0") == VALUE  # what is there is still read
        os.kill(redis.server_pid(), signal.SIGKILL)
    with LocalRedis(tmp_path / "data") as again:
        lost = [name for name in kept if again.command("GET", name) != VALUE]
    assert len(kept) > 40
    assert set(lost) <= {kept[-1]}
