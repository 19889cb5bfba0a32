"""One stand-in as a process of its own, from its first line to its end.

Invariant: it serves when `start` returns, and no process is left when `stop` has returned; a killed test run leaves
none either (Linux). Must not know what a stand-in is asked to do.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.dev.part import Part
from infra.dev.processes import describe_exit, kill_group, start_process
from infra.dev.surroundings import inherited_environment

_START_LIMIT_SECONDS = 120.0
_STOP_LIMIT_SECONDS = 10.0
_LOOK_SECONDS = 0.01
_LISTENING = " listening on "
_EXPORT = "export "


class StandInFailedError(Exception):
    """A stand-in did not start, or did not stop; the message has what it said."""


class StandInProcess:
    """A running stand-in; `exports` are the environment variables that it prints for its users."""

    def __init__(self, module: str, folder: Path, last_export: str, options: Sequence[str] = ()) -> None:
        self.url = ""
        self.exports: Mapping[str, str] = {}
        self._module = module
        self._folder = folder
        self._log = folder / "output.log"
        self._last_export = last_export
        # -P: what lies in the folder of the tests, such as a package called `infra`, hides nothing of ours.
        self._command = (sys.executable, "-P", "-m", module, "--port", "0", "--data", str(folder / "data"), *options)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it serves.

        Raises:
            StandInFailedError: it ended, or was not ready within half a minute.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        part = Part(self._module, self._command, inherited_environment(), self._is_ready)
        with self._log.open("wb") as output:
            process = self._process = start_process(part, output.fileno())
        give_up_at = time.monotonic() + _START_LIMIT_SECONDS
        while not self._has_said_all():
            if process.poll() is not None:
                raise self._failed(f"ended with {describe_exit(process.returncode)} instead of serving")
            if time.monotonic() > give_up_at:
                self.stop()
                raise self._failed(f"was not ready within {_START_LIMIT_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """End the process in order, by force if it does not end.

        Raises:
            StandInFailedError: it had to be killed.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._failed(f"did not end within {_STOP_LIMIT_SECONDS:g} s of SIGTERM; it was killed") from None
        finally:
            kill_group(process)
            process.wait()

    async def _is_ready(self) -> bool:
        return self._has_said_all()

    def _has_said_all(self) -> bool:
        """Whether it has printed its address and everything to export; a line counts when it has ended."""
        text = self._log.read_text("utf-8", "replace")
        lines = text[: text.rfind("\n") + 1].splitlines()
        pairs = (line.removeprefix(_EXPORT).partition("=") for line in lines if line.startswith(_EXPORT))
        self.exports = {name: value for name, _, value in pairs}
        self.url = next((line.partition(_LISTENING)[2] for line in lines if _LISTENING in line), "")
        return bool(self.url) and self._last_export in self.exports

    def _failed(self, what: str) -> StandInFailedError:
        said = self._log.read_text("utf-8", "replace").strip() or "nothing"
        return StandInFailedError(f"{' '.join(self._command)} {what}; it said:\n{said}")
