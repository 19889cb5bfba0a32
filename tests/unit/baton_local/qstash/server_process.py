"""The server as users start it: a process of its own, over a folder, on a free port."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from baton_local.dev.environment import inherited_environment


class ServerProcess:
    """`python -m baton_local.qstash`; leaves no process behind."""

    def __init__(
        self, data: Path, *arguments: str, port: int = 0, environment: Mapping[str, str] | None = None
    ) -> None:
        command = [sys.executable, "-m", "baton_local.qstash", "--data", str(data), "--port", str(port), *arguments]
        variables = {**inherited_environment(), **(environment or {})}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables
        )
        assert self._process.stdout is not None
        self.banner: list[str] = []
        for line in self._process.stdout:
            self.banner.append(line.rstrip("\n"))
            if line.startswith("export QSTASH_NEXT_SIGNING_KEY") or environment is not None:
                break

    @property
    def url(self) -> str:
        return self.banner[0].removeprefix("QStash listening on ")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> tuple[int, str]:
        self._process.terminate()
        return self.wait()

    def wait(self) -> tuple[int, str]:
        _, errors = self._process.communicate(timeout=120)
        return self._process.returncode, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self.wait()
