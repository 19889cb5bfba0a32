"""The local QStash as a process of its own, for the real side of the contract.

Invariant: it is this process's child and has ended when `stop` returns.
"""

import subprocess
import sys
from pathlib import Path

from baton.settings.settings import Settings

_STOP_SECONDS = 60.0


class QStashProcess:
    """`python -m baton_local.qstash` on a folder."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "baton_local.qstash", "--data", str(data), "--port", "0", "--no-sync"]
        with (data.parent / f"{data.name}.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self._exports = self._read_exports()

    def _read_exports(self) -> dict[str, str]:
        assert self._process.stdout is not None
        found: dict[str, str] = {}
        for line in self._process.stdout:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                found[name] = value
            if "QSTASH_NEXT_SIGNING_KEY" in found:
                return found
        self.stop()
        raise RuntimeError("the local QStash ended before it was ready")

    def settings(self, worker_base_url: str) -> Settings:
        """Settings of a program that publishes here and is delivered to there."""
        return Settings(
            qstash_url=self._exports["QSTASH_URL"],
            qstash_token=self._exports["QSTASH_TOKEN"],
            current_signing_key=self._exports["QSTASH_CURRENT_SIGNING_KEY"],
            next_signing_key=self._exports["QSTASH_NEXT_SIGNING_KEY"],
            worker_base_url=worker_base_url,
        )

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
