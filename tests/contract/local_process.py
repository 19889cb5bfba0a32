"""A stand-in as a user starts it, as a process of its own, and raw HTTP to it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

TOKEN = "standard"


class LocalProcess:
    """The program, from its ready lines to its end; leaves no process behind."""

    def __init__(self, module: str, options: Sequence[str], cwd: Path | None = None) -> None:
        command = [sys.executable, "-m", module, "--port", "0", "--token", TOKEN, *options]
        # When run from another folder, our own packages are still found.
        env = None if cwd is None else {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=env
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(3)]
        assert all(lines), self.process.communicate()[1]
        self.url = lines[0].strip().rpartition(" ")[2]
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()
        self.stop()

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        self.process.kill()
        self.process.communicate(timeout=120)

    def stop(self, number: int = 15) -> tuple[int, str]:
        """Stop in order; exit code and what was said on stderr."""
        self.process.send_signal(number)  # nothing, if it has ended
        try:
            shown = self.process.communicate(timeout=120)[1]
        finally:
            self.process.kill()
        return self.process.returncode, shown
