"""Starts `python -m baton_local.vector` as a user would, and speaks to it over raw HTTP."""

import json
from pathlib import Path
from typing import Any

import httpx

from tests.contract.local_process import TOKEN, LocalProcess

__all__ = ["TOKEN", "LocalVector"]


class LocalVector(LocalProcess):
    def __init__(self, folder: Path, *options: str, cwd: Path | None = None) -> None:
        super().__init__("baton_local.vector", ("--data", str(folder), *options), cwd)

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
        """Remove all records and namespaces."""
        self.result("/reset?all")
        for name in self.result("/list-namespaces"):
            if name:
                self.http.post(f"/delete-namespace/{name}").raise_for_status()
