"""`baton dev`: the whole local stack in the foreground, until Ctrl-C.

Prints where everything is and what to try; the stack itself is `baton_local.dev.stack`. Exit code 0 after Ctrl-C or
SIGTERM, 1 when the stack could not start or a part was given up. The link of `--open` logs a browser of this machine
in to the console, once: it leads to this process, which passes its session's cookie, and a cookie is a host's,
whatever the port. Invariant: the link works for one request, within a minute, on loopback; the key is in no address.
"""

import asyncio
import contextlib
import json
import secrets
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import httpx

from baton.sdk.distribution import missing_extra
from baton.server.processes import processes_here
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.dev.data_folder import DEV_FILE_NAME, DevFile
from baton_local.dev.parts import QueueKind, StackOptions, StoreKind
from baton_local.dev.ports import LOOPBACK
from baton_local.dev.stack import STACK_NAME, LocalStack
from baton_local.dev.supervisor import LOG_POLL_SECONDS

LIFE_SECONDS = 60.0
_REQUEST_SECONDS = 5.0
_GONE = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def open_console(stack: DevFile, show: Callable[[str], object] = webbrowser.open) -> None:
    """Show the link, and return when it has been used or its time is up."""
    path, used = f"/{secrets.token_urlsafe(24)}", asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                asked = (await reader.readline()).split(b" ")[:2]
                if used.is_set() or asked[0] != b"GET" or not secrets.compare_digest(asked[-1], path.encode()):
                    writer.write(_GONE.encode())
                else:
                    used.set()
                    writer.write((await _logged_in(stack)).encode())
                await writer.drain()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    async with server:
        link = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}{path}"
        await asyncio.to_thread(show, link)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(used.wait(), LIFE_SECONDS)


async def _logged_in(stack: DevFile) -> str:
    """Return the answer that takes the browser to the console, with the cookie of a session of its own."""
    async with httpx.AsyncClient(trust_env=False) as http:
        login = await http.post(f"{stack.app_url}/console/login", data={"key": stack.admin_key})
    head = ("HTTP/1.1 303 See Other", f"Location: {stack.app_url}/console", "Referrer-Policy: no-referrer")
    cookie = (f"Set-Cookie: {login.headers.get('set-cookie', '')}", "Content-Length: 0", "Connection: close")
    return "\r\n".join((*head, *cookie, "", ""))


DEFAULT_FOLDER = Path(".baton/dev")
NAME_WIDTH = 10
MOST_PROCESSES = 4  # more than one queue and one store of a laptop feed
_PORT = click.IntRange(0, 65_535)
TRY_QUESTION = "How did sailors tell one lighthouse from another?"


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    metavar="DIR",
    help="Where jobs, messages, secrets and logs are kept.",
)
@click.option("--app", metavar="MODULE:ATTR", help="Your own agents' registry, imported from the current folder.")
@click.option("--port", type=_PORT, metavar="N", help="The app's port; 0: any free ports.  [default: 8090]")
@click.option("--queue-port", type=_PORT, metavar="N", help="The queue's port; 0: any.  [default: 8080]")
@click.option("--redis-port", type=_PORT, metavar="N", help="The port of Redis's REST API; 0: any.  [default: 8079]")
@click.option("--vector-port", type=_PORT, metavar="N", help="The vector index's port; 0: any.  [default: 8078]")
@click.option(
    "--store",
    type=click.Choice(["rest", "resp"]),
    default="rest",
    show_default=True,
    help="How the app reaches its Redis: over REST as the hosted one, or straight (extra `redis`).",
)
@click.option(
    "--queue",
    type=click.Choice(["qstash", "redis"]),
    default="qstash",
    show_default=True,
    help="The queue: a local QStash, or the store's Redis, reached straight (extra `redis`).",
)
@click.option(
    "--reload/--no-reload",
    "reloads",
    default=True,
    help="Start your agents again when a Python file in the current folder changes.  [default: reload]",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    envvar="WEB_CONCURRENCY",
    metavar="N",
    help=f"Processes of the app.  [default: one a core, at most {MOST_PROCESSES}, if the memory allows]",
)
@click.option("--open", "opens", is_flag=True, help="Open the console in your browser, logged in.")
def dev(  # noqa: PLR0913 - one for each option
    *,
    data: Path,
    app: str | None,
    port: int | None,
    queue_port: int | None,
    redis_port: int | None,
    vector_port: int | None,
    store: StoreKind,
    queue: QueueKind,
    reloads: bool,
    processes: int | None,
    opens: bool,
) -> None:
    """Run the whole local stack in the foreground.

    Queue, Redis, vector index and the app, each a process of its own, supervised. Starting again on the same data
    goes on with unfinished jobs. With --app, a change of your code starts the app again, and jobs go on with it.
    """
    if app is not None and not all(app.partition(":")):
        raise click.BadParameter(
            f"{app!r} is not of the form MODULE:ATTR, such as my_agents:registry", param_hint="--app"
        )
    store = "resp" if queue == "redis" else store
    if store == "resp" and (missing := missing_extra("redis", "resp")):
        raise click.BadParameter(missing, param_hint="--store" if queue == "qstash" else "--queue")
    others = {"qstash": queue_port, "redis_rest": redis_port, "vector": vector_port}
    ports = {part: number for part, number in others.items() if number is not None}
    options = StackOptions(folder=data, app=app, port=port, ports=ports, store=store, reloads=reloads)
    options = replace(options, queue=queue)
    options = replace(options, processes=processes or min(processes_here(), MOST_PROCESSES))

    screen = PlainScreen()

    async def run(interruption: Interruption) -> int:
        stack = LocalStack(options, screen)
        interruption.at_once = stack.kill
        screen.notice(STACK_NAME, f"starting (data in {data}, logs in {data / 'logs'})")
        async with stack.running() as description:
            await asyncio.sleep(LOG_POLL_SECONDS)  # what the parts have said at their start comes first
            print(ready_text(description, data, app), flush=True)
            opening = asyncio.create_task(open_console(description)) if opens else None
            await stack.until_broken()
            del opening  # kept until here: a loop holds its tasks weakly
        return 0

    sys.exit(run_until_interrupted(run, lambda: screen.notice(STACK_NAME, "stopping; Ctrl-C again kills"), 0))


class PlainScreen:
    def notice(self, name: str, line: str) -> None:
        print(f"{name:>{NAME_WIDTH}} | {line}", flush=True)

    log_line = notice


def ready_text(stack: DevFile, folder: Path, app: str | None) -> str:
    return f"""
  app         {stack.app_url}
  console     {stack.app_url}/console  (log in with the admin key)
  chat        {stack.app_url}/chat
  queue       {stack.qstash_url or "in its Redis"}
  redis       {f"{stack.store_url} (RESP)" if stack.store_url else f"{stack.redis_url} (REST)"}
  vector      {stack.vector_url}

  client key  {stack.client_key}
  admin key   {stack.admin_key}
  everything  {folder / DEV_FILE_NAME}
  at once     {stack.settings["MAX_CONCURRENT_JOBS"]} jobs (MAX_CONCURRENT_JOBS)

Try:
  {_to_try(stack) if app is None else 'baton jobs submit AN_AGENT_OF_YOURS "a task for it" --watch'}

Ready. Ctrl-C stops everything; starting again goes on where it was.
"""


def _to_try(stack: DevFile) -> str:
    """Show what any program does; the samples are asked."""
    job = json.dumps({"jobType": "research", "taskDescription": TRY_QUESTION})
    key = f"-H 'Authorization: Bearer {stack.client_key}'"
    return f"curl -s {stack.app_url}/api/agent-jobs {key} -H 'Content-Type: application/json' -d '{job}'"
