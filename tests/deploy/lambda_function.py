"""A packaged function, run as Lambda runs it: the unpacked bundle, the real runtime client, one event at a time.

Invariant: the process sees the bundle and the runtime client, and nothing else of this machine's Python environment.
"""

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import files
from itertools import count
from pathlib import Path
from queue import Empty
from typing import Any

from tests.deploy.runtime_api import FunctionError, Invocation, RuntimeApi

_POLL_SECONDS = 0.02
_DELIMITER = bytes(8)  # between the prelude of a streamed answer and its body
WRAPPER, TASK = "AWS_LAMBDA_EXEC_WRAPPER", "/var/task"
_RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")


def runtime_client(folder: Path) -> Path:
    """Lambda's runtime client alone, as it lies beside a function in the cloud, and a Python that has nothing else."""
    folder.joinpath("python").write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # -S: no site-packages of ours
    folder.joinpath("python").chmod(0o755)
    for distribution in _RUNTIME:
        for file in files(distribution) or ():
            if ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
    return folder


class LambdaFunction:
    """One function. A process is started by the first event, and again by the next one after it has ended."""

    def __init__(self, handler: str, bundle: Path, runtime: Path, environment: Mapping[str, str]) -> None:
        self.handler = handler
        self.invocations = 0
        self.cold_starts = 0
        self._bundle, self._runtime, self._environment = bundle, runtime, environment
        self._process: subprocess.Popen[bytes] | None = None
        self._api: RuntimeApi | None = None
        self._one_at_a_time = threading.Lock()
        self._closed = False
        self._ids = count(1)

    def invoke(self, event: dict[str, Any], limit_seconds: float = 60.0) -> Any:
        """What the handler returns for an event.

        Raises:
            FunctionError: it raised, could not be loaded, ended, or took too long.
        """
        with self._invocation(event, limit_seconds) as answered:
            kind, document = answered()
            assert kind == "response", kind
            return document

    def stream(self, event: dict[str, Any], limit_seconds: float = 60.0) -> Iterator[Any]:
        """The prelude of a streamed answer, its body piece by piece, its trailers; to be read to the end.

        Raises:
            FunctionError: as `invoke`.
        """
        with self._invocation(event, limit_seconds) as answered:
            kind, prelude, found, body = "", b"", b"", b""
            while not found:
                kind, piece = answered()
                prelude, found, body = (prelude + piece).partition(_DELIMITER)
            yield json.loads(prelude)
            while kind == "piece":
                yield body
                kind, body = answered()
            yield body

    @contextmanager
    def _invocation(self, event: dict[str, Any], limit_seconds: float) -> Iterator[Callable[[], tuple[str, Any]]]:
        with self._one_at_a_time:
            process, api = self._running()
            self.invocations += 1
            invocation = Invocation(f"request-{next(self._ids)}", event, limit_seconds)
            api.waiting.put(invocation)
            yield partial(self._answer, process, api, invocation, limit_seconds)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def end(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal and wait; the exit code, None where no process runs."""
        process = self._process
        if process is None:
            return None
        process.send_signal(how)
        return process.wait(10)

    def close(self) -> None:
        """Leave no process behind, not even of an event that has waited for the one before it."""
        self._closed = True
        self._stop()  # so that an event at work ends
        with self._one_at_a_time:
            self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
        if self._api is not None:
            self._api.close()
        self._process = self._api = None

    def _running(self) -> tuple[subprocess.Popen[bytes], RuntimeApi]:
        if self._process is not None and self._api is not None and self._process.poll() is None:
            return self._process, self._api
        if self._closed:
            raise FunctionError(f"{self.handler} is closed")
        self._stop()
        self._api = RuntimeApi()
        self._process = self._start(self._api.address)
        self.cold_starts += 1
        return self._process, self._api

    def _start(self, api_address: str) -> subprocess.Popen[bytes]:
        environment = {
            "AWS_LAMBDA_RUNTIME_API": api_address,
            "AWS_LAMBDA_FUNCTION_NAME": "test",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/test",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
            "_HANDLER": self.handler,
            "LAMBDA_TASK_ROOT": str(self._bundle),
            "PYTHONPATH": f"{self._bundle}:{self._runtime}",
            "PYTHONDONTWRITEBYTECODE": "1",  # as where a function's code is read-only
            "PATH": "/usr/bin:/bin",
            **self._environment,
        }
        command = [str(self._runtime / "python"), "-m", "awslambdaric", self.handler]
        if WRAPPER in self._environment:
            command = [self._environment[WRAPPER].replace(TASK, str(self._bundle)), *command]
        return subprocess.Popen(command, cwd=self._bundle, env=environment, stdin=subprocess.DEVNULL)

    def _answer(
        self, process: subprocess.Popen[bytes], api: RuntimeApi, invocation: Invocation, limit_seconds: float
    ) -> tuple[str, Any]:
        waited_seconds = 0.0
        while waited_seconds < limit_seconds:
            try:
                kind, document = invocation.answer.get(timeout=_POLL_SECONDS)
            except Empty:
                waited_seconds += _POLL_SECONDS
                if process.poll() is not None:
                    raise FunctionError(f"{self.handler} ended with {process.returncode}: {api.init_error}") from None
                continue
            if kind == "error":
                raise FunctionError(f"{self.handler} raised {document}")
            return kind, document
        self.end(signal.SIGKILL)
        raise FunctionError(f"{self.handler} took more than {limit_seconds:g} s")
