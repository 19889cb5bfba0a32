"""`baton tunnel` through a stand-in for ngrok: opened, told to the queue, checked, and closed again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from baton_local.dev.ports import any_free_port
from tests.e2e.dev_stack import PATIENCE_SECONDS, QUICK_RECOVERY, DevStack, baton, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.long]
FAKE = Path(__file__).with_name("fake_ngrok.py")


class Place:
    def __init__(self, folder: Path, stack: DevStack) -> None:
        self.folder = folder
        self.ports = [any_free_port(frozenset())]
        for _ in range(2):
            self.ports.append(any_free_port(frozenset(self.ports)))
        self.local, self.api, self.public = self.ports
        settings = {**stack.settings, "WORKER_BASE_URL": "https://old.example.com"}
        self.env_file = folder / ".env"
        self.env_file.write_text("\n".join(["# mine", *(f"{name}={value}" for name, value in settings.items()), ""]))

    def ngrok(self, script: str) -> None:
        program = self.folder / "bin" / "ngrok"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def command(self, *arguments: str, port: int | None = None) -> subprocess.Popen[str]:
        environment = {
            **os.environ,  # noqa: TID251 - what a person's shell has
            **QUICK_RECOVERY,
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "FAKE_NGROK_API": str(self.api),
            "FAKE_NGROK_PUBLIC": str(self.public),
            "QSTASH_TOPIC_PREFIX": "tunnel",
            "PYTHONPATH": str(FAKE.parents[2]),
        }
        own = ("--port", str(port or self.local), "--ngrok-api", f"http://127.0.0.1:{self.api}")
        with (self.folder / "out").open("w") as output:
            return subprocess.Popen(
                baton("tunnel", "--env-file", str(self.env_file), *own, *arguments),
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()


@pytest.fixture
def place(tmp_path: Path, stack: DevStack) -> Place:
    return Place(tmp_path, stack)


def end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()


@pytest.fixture
def opened(place: Place) -> Iterator[subprocess.Popen[str]]:
    place.ngrok(f'exec "{sys.executable}" "{FAKE}" "$@"')
    process = place.command()
    try:
        wait_for(lambda: "Ready at" in place.output or process.poll() is not None, "the tunnel")
        assert "Ready at" in place.output, place.output
        yield process
    finally:
        if process.poll() is None:
            end(process)


def test_the_queue_gets_through_to_an_app_started_for_it(
    place: Place, opened: subprocess.Popen[str], stack: DevStack
) -> None:
    """From PATH, the app with the tunnel's address, topics, the file, a signed round trip; Ctrl-C ends it all."""
    address = f"http://127.0.0.1:{place.public}"
    assert f"all 7 at {address}: reached by the queue, signature believed" in place.output
    assert f"WORKER_BASE_URL is {address} now (was https://old.example.com)" in place.output
    text = place.env_file.read_text()
    assert f"WORKER_BASE_URL={address}\n" in text
    assert text.startswith("# mine\n")
    topics = {topic["name"]: topic["endpoints"] for topic in stack.ask("qstash", "/v2/topics")}
    assert topics["tunnel.agent-loop-init"] == [{"name": "baton", "url": f"{address}/workers/agent-loop"}]
    assert stack.ask("qstash", "/v2/schedules/tunnel.sweep")["destination"] == f"{address}/workers/sweep"
    assert end(opened) == 0
    for port in place.ports:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)


def test_an_app_that_has_another_address_must_be_started_again(place: Place, stack: DevStack) -> None:
    """Both ngrok and the app run already: the app refuses what is signed for the tunnel."""
    local = int(stack.described["app_url"].rpartition(":")[2])
    ngrok = subprocess.Popen(
        [sys.executable, str(FAKE), "http", str(local)],
        env={**os.environ, "FAKE_NGROK_API": str(place.api), "FAKE_NGROK_PUBLIC": str(place.public)},  # noqa: TID251
    )
    try:
        wait_for(lambda: answers(place.api), "the stand-in for ngrok")
        process = place.command(port=local)
        assert process.wait(PATIENCE_SECONDS) == 1
        assert "the signature is refused (401)" in place.output
        assert f"start it again with WORKER_BASE_URL=http://127.0.0.1:{place.public}" in place.output
        assert ngrok.poll() is None
        wrong = place.command()
        assert wrong.wait(PATIENCE_SECONDS) == 1
        assert f"ngrok runs, and does not lead to port {place.local}" in place.output
    finally:
        ngrok.kill()
        ngrok.wait()


def test_ngrok_that_cannot_start_is_reported_with_its_last_lines(place: Place) -> None:
    place.ngrok("echo 'authentication failed: ERR_NGROK_4018'; exit 1")
    process = place.command()
    assert process.wait(PATIENCE_SECONDS) == 1
    assert "ngrok died 5 times in a row" in place.output
    assert "ERR_NGROK_4018" in place.output.rpartition("ends with:")[2]
    assert "https://old.example.com" in place.env_file.read_text()


def test_what_is_missing_is_reported_before_anything_is_started(place: Place) -> None:
    process = place.command()
    assert process.wait(PATIENCE_SECONDS) == 1
    assert "ngrok does not run, and is not on PATH: install it" in place.output
    place.env_file.write_text("QSTASH_TOKEN=x\n")
    process = place.command()
    assert process.wait(PATIENCE_SECONDS) == 1
    for text in ("UPSTASH_REDIS_REST_URL is not set", "QSTASH_NEXT_SIGNING_KEY is not set", "`baton dev` needs none"):
        assert text in place.output


def answers(port: int) -> bool:
    try:
        return bool(httpx.get(f"http://127.0.0.1:{port}/api/tunnels", trust_env=False).json()["tunnels"])
    except httpx.HTTPError:
        return False
