"""A process that is asked line by line, with a limit on each answer. Nothing that it started survives `end`."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PATIENCE_SECONDS = 300.0
END_SECONDS = 60.0


class Child:
    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout
        self.printed = ""

    def send(self, line: str) -> None:
        """Give it a line; one that has ended takes none, and its output says why."""
        with contextlib.suppress(BrokenPipeError):
            self._input.write(f"{line}\n".encode())
            self._input.flush()

    def wait_for(self, found: Callable[[str], bool], patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Read until what was printed since the last `take` holds something; False if it ended or took too long."""
        give_up_at = time.monotonic() + patience_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while not found(self.printed):
                if not selector.select(max(0.0, give_up_at - time.monotonic())):
                    return False
                piece = os.read(self._output.fileno(), 65536)
                if not piece:
                    return found(self.printed)
                self.printed += piece.decode(errors="replace")
        return True

    def take(self) -> str:
        printed, self.printed = self.printed, ""
        return printed

    def end(self) -> None:
        """Ask it to stop as Ctrl-C does, and kill what is left of its group."""
        if self.process.poll() is None:
            self._signal_group(signal.SIGINT)
            self._input.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._drain_until_end()
        self._signal_group(signal.SIGKILL)
        self.process.wait(END_SECONDS)
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()

    def _drain_until_end(self) -> None:
        """Read on, so that a full pipe stops nobody from stopping."""
        self.wait_for(lambda _: False, END_SECONDS)
        self.process.wait(END_SECONDS)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
