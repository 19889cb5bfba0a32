"""The product with a project's agents, as a process of its own on the servers of a test run; it can be killed.

Invariant: it serves when `start` returns; its address stays the same over `kill` and `start`, as that of a deployed
function does, so messages that were on their way find it again. No process is left when `stop` has returned. Must not
know what a test is about: it submits jobs, reads them, and passes every other request on.
"""

import contextlib
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.dev.api_key import api_key_entry, new_api_key
from infra.dev.part import Part
from infra.dev.ports import LOOPBACK, any_free_port
from infra.dev.processes import describe_exit, kill_group, start_process
from infra.dev.readiness import http_is_ready
from infra.dev.surroundings import inherited_environment
from infra.pytest_plugin.admin_call import AdminCallError, admin_call

_TENANT = "test"
_START_LIMIT_SECONDS = 120.0
_STOP_LIMIT_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_SERVER_ERROR = 500
_ENDED = ("completed", "failed", "cancelled")
# A killed attempt is made again 10 s after its time limit; the queue's own retries come soon.
QUICK_SETTINGS = {"WORK_TIMEOUT_SECONDS": "5", "MESSAGE_RETRY_DELAY_MS": "300", "RATE_LIMIT_PER_MINUTE": "0"}


class AgentAppError(Exception):
    """The app did not start, or a job did not end; the message has what was said."""


class AgentApp:
    """One app; `settings` are those of docs/reference/settings.md, and win over what is set here."""

    def __init__(self, registry: str, project: Path, folder: Path, settings: Mapping[str, str]) -> None:
        self.url = f"http://{LOOPBACK}:{any_free_port(frozenset())}"
        self.key = new_api_key("admin")
        self.operations_key = secrets.token_urlsafe()
        self._log = folder / "agent_app.log"
        port = self.url.rpartition(":")[2]
        # -P: what lies in the project's folder, such as a package called `events`, hides nothing of ours.
        program = (sys.executable, "-P", "-m", "infra.dev.app_server")
        self._command = (*program, "--port", port, "--app-dir", str(project), "--registry", registry)
        self._settings = {
            "WORKER_BASE_URL": self.url,
            "API_KEYS": api_key_entry("admin", _TENANT, self.key),
            "OPERATIONS_API_KEY": self.operations_key,
            "BATON_APP": registry,
            "LOG_FORMAT": "text",
            **QUICK_SETTINGS,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it serves.

        Raises:
            AgentAppError: the agents cannot be loaded, a setting is wrong, or it took half a minute.
        """
        part = Part("app", self._command, {**inherited_environment(), **self._settings}, self._is_ready)
        with self._log.open("ab") as output:
            self._process = start_process(part, output.fileno())
        give_up_at = time.monotonic() + _START_LIMIT_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise self._failed(f"ended with {describe_exit(self._process.returncode)} instead of serving")
            if time.monotonic() > give_up_at:
                self.kill()
                raise self._failed(f"was not ready within {_START_LIMIT_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """End it as a crash would: nothing of it runs on, nothing is said."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process)
            process.wait()

    def stop(self) -> None:
        """End it in order, by force if it does not end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_LIMIT_SECONDS)
        self.kill()

    def submit(self, agent: str, task: str = "", data: Mapping[str, Any] | None = None) -> str:
        """Submit a job; its id."""
        body = {"jobType": agent, "taskDescription": task, "inputData": dict(data or {})}
        return str(self.call("POST", "/api/agent-jobs", body)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """The job as it is now."""
        return dict(self.call("GET", f"/api/agent-jobs/{job_id}"))

    def wait(self, job_id: str, *, until: str = "", limit_seconds: float = 30.0) -> dict[str, Any]:
        """The job once it has ended, or has the status `until`; a 5xx, such as a store that is away, is waited out.

        Raises:
            AgentAppError: it does not, for so long; the message says what it waits for.
        """
        give_up_at = time.monotonic() + limit_seconds
        wanted = (until,) if until else _ENDED
        while (job := self._job_if_told(job_id))["status"] not in wanted:
            if time.monotonic() > give_up_at or job["status"] in _ENDED:
                raise AgentAppError(f"job {job_id} is {job['status']} ({job['waitingFor'] or job['error']})")
            time.sleep(_LOOK_SECONDS)
        return job

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Any other request to the API, with an admin's key; the JSON of the answer."""
        return admin_call(self.url, self.key, method, path, body)

    def _job_if_told(self, job_id: str) -> dict[str, Any]:
        try:
            return self.job(job_id)
        except AdminCallError as error:
            if error.status < _SERVER_ERROR:
                raise
            return {"status": "not told", "waitingFor": str(error)}

    async def _is_ready(self) -> bool:
        return await http_is_ready(LOOPBACK, int(self.url.rpartition(":")[2]), "/readyz")

    def _answers(self) -> bool:
        try:
            admin_call(self.url, "", "GET", "/readyz")
        except (OSError, RuntimeError):
            return False
        return True

    def _failed(self, what: str) -> AgentAppError:
        said = self._log.read_text("utf-8", "replace").strip() or "nothing"
        return AgentAppError(f"{' '.join(self._command)} {what}; it said:\n{said}")
