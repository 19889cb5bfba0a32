"""Starts `python -m baton_local.vector` as a user would, and speaks to it over raw HTTP."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

TOKEN = "standard"
READER = "reader"


class LocalVector:
    """The program, from its ready lines to its end; leaves no process behind."""

    def __init__(self, folder: Path, *options: str, cwd: Path | None = None) -> None:
        tokens = ("--token", TOKEN, "--read-only-token", READER)
        command = [sys.executable, "-m", "baton_local.vector", "--port", "0", "--data", str(folder), *tokens, *options]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=_environment(cwd)
        )
        assert self._process.stdout is not None
        self.ready_lines = [self._process.stdout.readline().rstrip("\n") for _ in range(3)]
        assert all(self.ready_lines), self._process.communicate()[1]
        self.url = self.ready_lines[0].rpartition(" ")[2]
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self._process.poll() is None:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=120)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self._process.send_signal(number)
        _, shown = self._process.communicate(timeout=120)
        return self._process.returncode, shown

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.http.post(path, content=json.dumps(body))  # ASCII, so that lone surrogates can be sent, too

    def result(self, path: str, body: Any = None) -> Any:
        response = self.post(path, body)
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"result"}
        return response.json()["result"]

    def error(self, path: str, body: Any = None) -> tuple[int, str]:
        """Status and text of a request that fails; both must be in the body, too."""
        response = self.post(path, body)
        content = response.json()
        assert set(content) == {"error", "status"}, content
        assert content["status"] == response.status_code
        return response.status_code, content["error"]

    def empty(self) -> None:
        self.result("/reset?all")
        for name in self.result("/list-namespaces"):
            if name:
                self.http.post(f"/delete-namespace/{name}").raise_for_status()


def _environment(cwd: Path | None) -> dict[str, str] | None:
    """When run from another folder, our own packages are still found."""
    return None if cwd is None else {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
