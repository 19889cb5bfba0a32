"""Serves the product with uvicorn, for the local stack: `python -P -m baton_local.dev.app_server --port N`.

It is `uvicorn baton.server.app:app --app-dir DIR` but for one thing: our own packages are imported before DIR is put on
the import path, so that nothing in it hides them. Must not hold any setting of the product: those come through the
environment. What a person's own code prints or logs is marked, for the screen of `baton dev`, with its job's id; what
Baton and its libraries say is not.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import io
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any, TextIO, cast

import uvicorn

from baton.observability.logs import about
from baton_events.errors import SettingsError
from baton_local.dev import dead_address
from baton_local.dev.part_log import OWN_LINE, TRACEBACK
from baton_local.stand_in.http_server import given_socket

LIBRARIES = "site-packages"


def mark_own_lines(folder: Path, log_format: str) -> None:
    """Mark what is printed from now on, and what modules below `folder` log; of others warnings are logged."""
    sys.stdout = OwnOutput(sys.stdout)
    handler = logging.StreamHandler()
    handler.setFormatter(OwnRecords(folder, log_format))
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or _is_below(folder, record.pathname))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class OwnOutput(io.TextIOBase):
    """Standard output by lines; the lines of jobs that run at the same time do not mix."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._unfinished: dict[str, str] = {}

    def write(self, text: str) -> int:
        """Write the whole lines, and keep what is left for the next call of the same job."""
        job_id = about().get("jobId", "")
        *lines, unfinished = (self._unfinished.pop(job_id, "") + text).split("\n")
        if unfinished:
            self._unfinished[job_id] = unfinished
        self._output.write("".join(f"{_marked(line)}\n" for line in lines))
        self._output.flush()
        return len(text)


class OwnRecords(logging.Formatter):
    """Marks records of modules below a folder."""

    def __init__(self, folder: Path, log_format: str) -> None:
        super().__init__(log_format)
        self._folder = folder

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "\n".join(map(_marked, text.split("\n"))) if _is_below(self._folder, record.pathname) else text


def _marked(line: str) -> str:
    job_id = about().get("jobId", "")
    return f"{OWN_LINE}{job_id} {line}" if job_id else f"{OWN_LINE}{line}"


def _is_below(folder: Path, path: str) -> bool:
    return Path(path).is_relative_to(folder) and LIBRARIES not in path


OWN_PACKAGES = ("baton", "baton_events")
GRACE_SECONDS = 2
PROVIDERS, LOADER = "baton.sdk.models.through_pydantic_ai.client", "baton-load-providers"
# The queue starts at the same time, and is there first as a rule.
QUEUE_SECONDS, QUEUE_POLL_SECONDS = 10.0, 0.1
NOT_STARTED = 3  # as `uvicorn.run`
PROOF = "LOCAL_PART_PROOF"  # answers show it, so that the supervisor knows its own app among others
# With the level in each line: the supervisor shows errors by it.
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Longer than the queue's client keeps a connection, so that it never writes into one that is just being closed.
KEEP_ALIVE_SECONDS = 75
_FRAME = '  File "'


def main(arguments: list[str]) -> None:
    gc.disable()  # to look for garbage among what is imported, and stays, is a fifth of the start
    # A third of the HTTP client's import is its own command line, where a library for that is installed.
    sys.modules.setdefault("httpx._main", cast("Any", None))
    parser = argparse.ArgumentParser(
        prog="python -m baton_local.dev.app_server", description="Serve the product locally."
    )
    parser.add_argument("--target", default="baton.server.app:app", help="the ASGI application (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--shares", action="store_true", help="the socket is that of other processes, too")
    parser.add_argument("--app-dir", help="folder to import the user's agents from")
    parser.add_argument("--registry", help="the user's registry as module:attribute, checked before serving")
    parser.add_argument("--registers", action="store_true", help="register topics and schedules with the queue first")
    options = parser.parse_args(arguments)
    if options.app_dir is not None:
        for package in OWN_PACKAGES:
            importlib.import_module(package)
        sys.path.insert(0, options.app_dir)
        mark_own_lines(Path(options.app_dir), LOG_FORMAT)
    else:
        logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("baton").setLevel(logging.INFO)
    if options.registry is not None:
        check_registry(options.registry)
    if options.registers:
        register(os.environ)  # noqa: TID251 - it reads the product's settings as the product does
    serve(options.target, options.host, options.port, shares=options.shares)


def register(environment: Mapping[str, str]) -> None:
    """Register what the app needs of its queue, once that is there, and say in a line why it was not taken."""
    from baton_local.setup import account  # noqa: PLC0415 - after the import path

    give_up_at = time.monotonic() + QUEUE_SECONDS
    while (refusal := asyncio.run(account.register(environment))) and time.monotonic() < give_up_at:
        time.sleep(QUEUE_POLL_SECONDS)
    if refusal is not None:
        print(f"{OWN_LINE}{refusal}")


def serve(target: str, host: str, port: int, *, shares: bool = False) -> None:
    """Serve the application; end with an exit code that says whether it is worth another try.

    `shares`: other processes take callers from the same socket, so each answer ends its connection. The next one goes
    to a process that is free.
    """
    news = News()
    logging.getLogger("uvicorn.error").addFilter(news)
    proof = os.environ.get(PROOF)  # noqa: TID251 - not a setting of the product
    config = uvicorn.Config(
        target,
        host=host,
        port=port,
        loop="asyncio" if dead_address.resolve_if_named() else "auto",
        access_log=False,
        server_header=False,
        headers=[*([("Part-Proof", proof)] if proof else []), *([("Connection", "close")] if shares else [])],
        lifespan="on",  # else uvicorn takes an app that cannot be built for one that has no start-up, and serves it
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(SystemExit):  # its code would say less than ours
        config.load()
        gc.freeze()
        gc.enable()
        server.run(sockets=[given] if (given := given_socket()) else None)
    if news.wrong_settings is not None:
        print(news.wrong_settings, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    if not server.started:
        sys.exit(NOT_STARTED)


class News(logging.Filter):
    """Drops two notes of the server.

    One is on requests broken off by its stop: the claims say what those were. The other is a traceback of wrong
    settings, which a person reads without it.
    """

    wrong_settings: SettingsError | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, SettingsError):
            self.wrong_settings = error
        known = isinstance(error, asyncio.CancelledError | SettingsError)
        return not known and not record.getMessage().startswith("Cancel ")


def check_registry(reference: str) -> None:
    """End with the exit code that is not tried again when the user's agents cannot be loaded.

    No bytecode of them is kept: Python takes what it kept for the present when a file of the same size is saved again
    within a second.
    """
    from baton.sdk.agents.agent import chosen_models  # noqa: PLC0415 - after the import path
    from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry  # noqa: PLC0415 - likewise
    from baton.sdk.tools.contained import traceback_of  # noqa: PLC0415 - likewise
    from baton_local.setup.model_faults import never_counted  # noqa: PLC0415 - likewise

    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        registry = load_registry(reference)
        of_handlers = {each.name for each in registry.handlers}  # no model reads theirs
        for tool in registry.tools:
            if not tool.description and tool.name not in of_handlers:
                print(f"tool {tool.name!r} has no docstring: its model is sent the name and the arguments alone")
        for each in never_counted(registry):
            print(f"{each}; give it tokens")
        models = [model for agent in registry.agents for model in chosen_models(agent.model)]
        if any(isinstance(model, str) and ":" in model for model in models):
            Thread(target=_load_providers, name=LOADER, daemon=True).start()
    except RegistryNotLoadedError as error:
        if error.__cause__ is not None:
            trace = traceback_of(error.__cause__)
            if _FRAME in trace:  # without one the last line says it all
                print(trace if trace.startswith(TRACEBACK) else f"{TRACEBACK}\n{trace}", file=sys.stderr)
        print(f"{error}", file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    finally:
        sys.dont_write_bytecode = before


def _load_providers() -> None:
    """Import what calls providers, which takes seconds, so that the first model call need not."""
    with contextlib.suppress(ImportError):  # the call says what is missing
        importlib.import_module(PROVIDERS)


if __name__ == "__main__":
    main(sys.argv[1:])
