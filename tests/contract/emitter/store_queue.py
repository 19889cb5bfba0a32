"""The queue in a real Valkey, with a pump that runs in a thread of its own, as another process would."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path

from baton.settings.settings import Settings
from baton.worker.wiring import queue_in_store
from tests.contract.store.redis_process import RedisProcess


class StoreQueue:
    def __init__(self, folder: Path) -> None:
        self._server = RedisProcess(folder).over("resp")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._pump(),))
        self._thread.start()

    async def _pump(self) -> None:
        self._stopped = asyncio.Event()
        made = queue_in_store(self.settings("http://127.0.0.1:9"))
        pump = asyncio.create_task(made.pump().run())
        await asyncio.wait([pump, asyncio.create_task(self._stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        await made.queue.close()

    def settings(self, worker_base_url: str) -> Settings:
        """Settings of a program that publishes here and is delivered to there."""
        settings = self._server.settings()
        return Settings(queue="redis", resp_url=settings.resp_url, worker_base_url=worker_base_url)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()
        self._server.stop()
