"""The product as a service: `python -m baton.server` on one listening socket that several servers share.

The socket is this process's, so it takes connections whichever server stops or starts, as a load balancer would.
Invariant: whatever was started here has ended when the block of `hosting_in` has.
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baton.store.redis.keys import state_key
from tests.contract.emitter.qstash_process import QStashProcess
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.e2e.dev_stack import ROOT, JobApi, answered, wait_for
from tests.e2e.fault_stack import answers, parent_of

KEY, ADMIN_KEY = "key-of-acme", "key-of-operators"
BASE_PATH = "/api/v2"
GRACE_SECONDS = 10


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    log_path: Path

    def workers(self) -> list[int]:
        """Its worker processes, where it has several."""
        status = (Path("/proc") / str(self.process.pid) / "task" / str(self.process.pid) / "children").read_text()
        # One child only watches what the others leave behind (multiprocessing's resource tracker).
        return [int(pid) for pid in status.split() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def has_started(self) -> bool:
        assert self.process.poll() is None, self.log_path.read_text()
        return b"startup complete" in self.log_path.read_bytes()

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(2 * GRACE_SECONDS)
        return self.log_path.read_text()


@dataclass
class Hosting(JobApi):
    folder: Path
    redis: RedisProcess
    queue: QStashProcess | None
    listener: socket.socket
    base_path: str = BASE_PATH
    servers: list[Server] = field(default_factory=list[Server])

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    @property
    def base_url(self) -> str:
        """The same, with the path below which they are said to be."""
        return self.origin + self.base_path

    @property
    def notes_path(self) -> Path:
        return self.folder / "notes"

    def serve(
        self,
        *arguments: str,
        code: Path = ROOT,
        python: str = sys.executable,
        agents: str = "fault_agents",
        **settings: str,
    ) -> Server:
        """Start one more server, of this code and these libraries or of others; it is not waited for."""
        log_path = self.folder / f"server{len(self.servers)}.log"
        number = str(self.listener.fileno())
        command = ["baton.server", "--fd", number, "--no-access-log", "--lifespan", "on"]
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                # Without `-P` the folder in which it starts would come before the code that it is to run.
                [python, "-P", "-m", *command, "--timeout-graceful-shutdown", str(GRACE_SECONDS), *arguments],
                stdout=log,
                stderr=log,
                env={**self._environment(code, agents), **settings},
                cwd=self.folder,
                pass_fds=(self.listener.fileno(),),
            )
        self.servers.append(Server(process, log_path))
        return self.servers[-1]

    def serve_and_wait(self, *arguments: str, **options: Any) -> Server:
        server = self.serve(*arguments, **options)
        wait_for(server.has_started, f"the start of the server of {server.log_path}")
        wait_for(lambda: answers(f"{self.base_url}/readyz"), "readiness")
        return server

    def request(self, method: str, path: str, key: str = KEY, **options: Any) -> Any:
        return answered(method, f"{self.base_url}{path}", key, **options)

    def stored_job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.redis.request("HGET", state_key(job_id), f"job:{job_id}"))
        return found

    def _environment(self, code: Path, agents: str) -> dict[str, str]:
        return {
            **os.environ,  # noqa: TID251 - the service inherits this process's
            "PYTHONPATH": os.pathsep.join(map(str, (code / "functions", code / "events", ROOT))),
            "PYTHONUNBUFFERED": "1",
            "WEB_CONCURRENCY": "1",
            **self._services(),
            "WORKER_BASE_URL": self.base_url,
            "BATON_APP": f"tests.e2e.{agents}:registry",
            "NOTES": str(self.notes_path),
            "API_KEYS": f"client:acme:{_digest(KEY)}, admin:operators:{_digest(ADMIN_KEY)}",
            "MESSAGE_RETRY_DELAY_MS": "300",
            "MAX_CONCURRENT_JOBS": "12",
        }

    def _services(self) -> dict[str, str]:
        """Where queue and store are; without a QStash both are the store."""
        if self.queue is None:
            return {"QUEUE": "redis", "REDIS_URL": self.redis.address_of("app")}
        queue = self.queue.settings(self.base_url)
        return {
            "QSTASH_URL": queue.qstash_url,
            "QSTASH_TOKEN": queue.qstash_token,
            "QSTASH_CURRENT_SIGNING_KEY": queue.current_signing_key,
            "QSTASH_NEXT_SIGNING_KEY": queue.next_signing_key,
            "UPSTASH_REDIS_REST_URL": self.redis.url,
            "UPSTASH_REDIS_REST_TOKEN": TOKEN,
        }


@contextlib.contextmanager
def hosting_in(folder: Path, base_path: str = BASE_PATH, *, has_qstash: bool = True) -> Iterator[Hosting]:
    with contextlib.ExitStack() as stack:
        redis = RedisProcess(folder / "redis")
        stack.callback(redis.stop)
        queue = QStashProcess(folder / "qstash") if has_qstash else None
        if queue is not None:
            stack.callback(queue.stop)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
        hosting = Hosting(folder, redis, queue, listener, base_path)
        stack.callback(_end, hosting)
        yield hosting


def _end(hosting: Hosting) -> None:
    for server in hosting.servers:
        workers = server.workers() if server.process.poll() is None else []
        server.process.kill()
        server.process.wait()
        for pid in workers:
            if parent_of(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
