"""Starts `python -m baton_local.redis` as a user would, and speaks to it over raw HTTP."""

from pathlib import Path
from typing import Any

import httpx

from tests.contract.local_process import TOKEN, LocalProcess

__all__ = ["TOKEN", "LocalRedis", "free_of_processes"]


class LocalRedis(LocalProcess):
    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__("baton_local.redis", ("--data", str(folder), *options))

    def post(self, body: Any, path: str = "/", **headers: str) -> httpx.Response:
        """POST a JSON body; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
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
        """The process id of the server behind the bridge."""
        shown = self.command("INFO", "server").split("\r\n")
        return int(next(line[11:] for line in shown if line[:11] == "process_id:"))


def free_of_processes(folder: Path) -> bool:
    """Whether no process's command line names the folder any more (Linux only; true elsewhere)."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in file.read_bytes():
                return False
        except OSError:
            continue
    return True
