"""`baton serve` and `baton pump`: a deployment whose queue is in the store; of it, on this machine, all or the pump.

Invariant: serving first registers what the deployment needs, as `baton setup` does, so that the sweep comes.
"""

import asyncio
import os
import sys

import click

from baton.server.__main__ import main as serve_processes
from baton.settings.settings import Settings, require
from baton.worker.wiring import queue_in_store
from baton_events.errors import SettingsError
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.cli.place import Place, with_place
from baton_local.dev.stack_error import StackError
from baton_local.setup.account import register

_NEEDED = ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", "WORKER_BASE_URL")


@click.command(context_settings={"ignore_unknown_options": True})
@with_place
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(place: Place, arguments: tuple[str, ...]) -> None:
    """Serve API, webhooks and console with the pump of their queue, a process on each core.

    The queue is the store's Redis (QUEUE=redis). Further options are those of uvicorn, such as --port and --workers.
    """
    _settings(place)
    if refused := asyncio.run(register(place.environment)):
        raise StackError(refused)
    os.environ.update(place.environment)  # noqa: TID251 - of the processes that serve
    serve_processes(["--lifespan", "on", "--timeout-graceful-shutdown", "150", *arguments])


@click.command()
@with_place
def pump(place: Place) -> None:
    """Deliver the messages of a queue in the store, and serve nothing."""
    settings = _settings(place)

    async def run(interruption: Interruption) -> int:
        del interruption
        made = queue_in_store(settings)
        print(f"pump    delivers from {settings.store_place} to {settings.worker_base_url}", flush=True)
        try:
            await made.pump().run()
        finally:
            await made.queue.close()
        return 0

    sys.exit(run_until_interrupted(run, lambda: None, 0))


def _settings(place: Place) -> Settings:
    settings = place.settings()
    if settings.queue != "redis":
        raise StackError(f"the queue is QStash, which delivers by itself: set QUEUE=redis; looked at: {place.origin}")
    try:
        require(settings, *_NEEDED)
    except SettingsError as error:
        raise StackError(f"{error}\nlooked at: {place.origin}") from error
    return settings
