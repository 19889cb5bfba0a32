"""Starts `python -m baton_local.redis` as a user would, and speaks to it over raw HTTP."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

TOKEN = "standard"


class LocalRedis:
    def __init__(self, folder: Path, *options: str, module: str = "baton_local.redis") -> None:
        where = ("--data", str(folder)) if module == "baton_local.redis" else ()
        self._command = [sys.executable, "-m", module, "--port", "0", *where, "--token", TOKEN, *options]
        self.ready_lines: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        while len(self.ready_lines) < 3:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            self.ready_lines.append(line.rstrip("\n"))
        self.url = self.ready_lines[0].rpartition(" ")[2]
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.stop()

    def stop(self) -> int:
        self.process.terminate()
        try:
            self.log = self.process.communicate(timeout=120)[1]
        finally:
            self.process.kill()
        return self.process.returncode

    def post(self, body: Any, path: str = "/", **headers: str) -> httpx.Response:
        named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(path, json=body, headers=named)

    def command(self, *arguments: Any) -> Any:
        answer = self.post(arguments).json()
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, *arguments: Any) -> str:
        response = self.post(arguments)
        assert response.status_code == 400, response.text
        text: str = response.json()["error"]
        return text

    def server_pid(self) -> int:
        return int(
            next(line[11:] for line in self.command("INFO", "server").split("\r\n") if line[:11] == "process_id:")
        )


def free_of_processes(folder: Path) -> bool:
    """Whether no process's command line names the folder any more (Linux only; true elsewhere)."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in file.read_bytes():
                return False
        except OSError:
            continue
    return True
