"""The server as this process's own child: started, watched, started again when it dies, stopped.

Invariant: while `run` is active there is at most one child; when it ends, there is none. The child has a session of
its own, so Ctrl-C in a terminal reaches only the parent, which stops it last.
"""

import asyncio
import logging
from collections.abc import Sequence

_log = logging.getLogger(__name__)

_STOP_TIMEOUT_SECONDS = 10.0
_SHORT_LIFE_SECONDS = 2.0
_SHORT_LIVES_LIMIT = 5
_FIRST_START_SECONDS = 10.0
_RESTART_DELAY_SECONDS = 0.1


class ChildFailedError(Exception):
    """The server will not stay up; its log says why."""


class ServerChild:
    """Keeps one child process running."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        """Start the server, and start it again whenever it dies; ends by cancellation.

        Raises:
            ChildFailedError: its first start failed (a wrong folder, no binary), or it dies again and again.
        """
        loop = asyncio.get_running_loop()
        lives = short_lives = 0
        while True:
            began_seconds = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
            status = await self._process.wait()
            lives += 1
            lived_seconds = loop.time() - began_seconds
            short_lives = short_lives + 1 if lived_seconds < _SHORT_LIFE_SECONDS else 0
            if (
                lives == 1 and status > 0 and lived_seconds < _FIRST_START_SECONDS
            ) or short_lives >= _SHORT_LIVES_LIMIT:
                raise ChildFailedError(f"the Redis server ended with status {status} after {lived_seconds:.1f} s")
            _log.warning("the Redis server ended with status %s; starting it again", status)
            await asyncio.sleep(_RESTART_DELAY_SECONDS)

    async def stop(self) -> None:
        """End the child: by asking, then by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
