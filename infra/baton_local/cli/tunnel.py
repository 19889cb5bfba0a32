"""`baton tunnel`: an app on this machine, reached by the hosted queue through ngrok.

Finds the tunnel or opens it, starts the app with the tunnel's address, updates the queue's account, and sees that a
signed message gets through. Exit codes: 0 done, or ended with Ctrl-C; 1 something failed, with what to do.
Invariant: what was started here is stopped here, whatever happens; what ran before goes on. The app is started with
the tunnel's address, since its signatures are checked against that; an app that runs already cannot be changed. ngrok
is read by its agent's local API (https://ngrok.com/docs/agent/api), and never downloaded or configured.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import httpx

from baton.sdk.agents.loader import RegistryNotLoadedError
from baton.settings.settings import Settings, read_settings
from baton_events.errors import PublishError, SettingsError
from baton_events.setting import is_loopback
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.cli.place import Place, place_of, put_line
from baton_local.dev.data_folder import make_private_folder
from baton_local.dev.part import Part, http_is_ready
from baton_local.dev.part_log import Screen
from baton_local.dev.parts import PYTHON
from baton_local.dev.ports import LOOPBACK
from baton_local.dev.stack_error import StackError
from baton_local.dev.supervisor import Supervisor
from baton_local.doctor.checkup import Services, probe
from baton_local.doctor.finding import Finding, Level, lines_of
from baton_local.setup.account import Account, code_of
from baton_local.setup.wanted import described, difference, wanted_of

API_URL = "http://127.0.0.1:4040"
_LIMIT_SECONDS = 3.0
_PORT = re.compile(r"(?:^|:)(\d+)/?$")


class Agent:
    """The agent that answers at this address, if one does."""

    def __init__(self, api_url: str) -> None:
        self._url = f"{api_url}/api/tunnels"

    async def tunnels(self) -> dict[str, str] | None:
        """Return public addresses, and what each leads to; None: no agent runs.

        Raises StackError: something else answers there.
        """
        try:
            async with httpx.AsyncClient(timeout=_LIMIT_SECONDS, trust_env=False) as client:
                response = await client.get(self._url, headers={"Accept": "application/json"})
                return _tunnels(response.raise_for_status().json()["tunnels"])
        except (httpx.ConnectError, httpx.TimeoutException):
            return None
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StackError(f"{self._url} does not answer as ngrok does: name its API with --ngrok-api URL") from error

    async def address_of(self, port: int) -> str | None:
        """Return the public address that leads to this port; None: no agent runs, or it has not connected yet.

        Raises StackError: there are tunnels, and none leads there.
        """
        tunnels = await self.tunnels()
        if not tunnels:
            return None
        found = [public for public, local in tunnels.items() if _leads_to(local, port)]
        if found:
            return found[0]
        others = ", ".join(f"{public} → {local}" for public, local in tunnels.items())
        raise StackError(
            f"ngrok runs, and does not lead to port {port} ({others}): start it with `ngrok http {port}`, or name the "
            "port that it leads to with --port"
        )


def command_of(port: int, search_path: str | None = None) -> tuple[str, ...]:
    """Return what starts ngrok. Raises StackError: it is not installed."""
    program = shutil.which("ngrok", path=search_path)
    if program is None:
        raise StackError(
            "ngrok does not run, and is not on PATH: install it (https://ngrok.com/download) and log in once with "
            "`ngrok config add-authtoken TOKEN`; or open any other tunnel, set WORKER_BASE_URL, run `baton setup`"
        )
    return (program, "http", str(port), "--log", "stdout")


def _tunnels(found: Any) -> dict[str, str]:
    """Return those that a queue can use: https, but for an address of this machine."""
    addresses: Mapping[str, str] = {each["public_url"]: str(each["config"]["addr"]) for each in found}
    return {
        public.rstrip("/"): local
        for public, local in addresses.items()
        if public.startswith("https://") or (public.startswith("http://") and is_loopback(public))
    }


def _leads_to(local: str, port: int) -> bool:
    """Return whether it leads to the port: `http://localhost:8090`, `localhost:8090`, `8090`."""
    found = _PORT.search(local)
    return found is not None and int(found[1]) == port


_APP, _NGROK = "app", "ngrok"
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class TunnelOptions:
    """What the person chose; `app`: the registry as MODULE:ATTR, None: the setting's. `folder`: for logs."""

    environment: Mapping[str, str]
    port: int
    agent: Agent
    folder: Path
    app: str | None = None
    starts_app: bool = True


class Tunnelling:
    def __init__(self, options: TunnelOptions, screen: Screen) -> None:
        self._options, self._screen = options, screen
        self._supervisors: list[Supervisor] = []

    @property
    def started(self) -> bool:
        """Whether anything was started here, and has to stay."""
        return bool(self._supervisors)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        try:
            yield await self._address()
        finally:
            for supervisor in reversed(self._supervisors):
                await supervisor.stop()

    async def _address(self) -> str:
        agent, port = self._options.agent, self._options.port
        if await agent.tunnels() is None:
            around = self._options.environment
            await self._run(Part(_NGROK, command_of(port, around.get("PATH")), around, self._is_open))
        address = await agent.address_of(port)
        if address is None:
            raise StackError("ngrok runs, and has no tunnel: see its screen, or start `ngrok http` again")
        return address

    async def _is_open(self) -> bool:
        return bool(await self._options.agent.tunnels())

    async def run_app(self, address: str) -> bool:
        """Start the app with its public address; False: one runs already, or none is to be started."""
        options = self._options
        is_ready = partial(http_is_ready, LOOPBACK, options.port, "/healthz")
        if not options.starts_app or await is_ready():
            return False
        registry = options.app or options.environment.get("BATON_APP")
        own = ("--app-dir", str(Path.cwd()), "--registry", registry) if registry else ()
        command = (*PYTHON, "-m", "baton_local.dev.app_server", "--host", LOOPBACK, "--port", str(options.port), *own)
        await self._run(Part(_APP, command, self.environment(address), is_ready, stop_seconds=4.0))
        return True

    def environment(self, address: str) -> dict[str, str]:
        """Return the app's, at this address: every function is there."""
        own = {"WORKER_BASE_URL": address, "WORKER_URLS": ""}
        return {"LOG_FORMAT": "text", **self._options.environment, **own}

    async def register(self, settings: Settings) -> None:
        account = Account.of(settings)
        try:
            for change in difference(wanted_of(settings, *await code_of(settings)), await account.read()).changes:
                await account.apply(change)
                self._screen.notice("setup", described(change))
        except (PublishError, RegistryNotLoadedError) as error:
            raise StackError(str(error)) from error
        finally:
            await account.close()

    async def check(self, settings: Settings, seconds: int) -> list[Finding]:
        """Return what becomes of a signed probe to each endpoint."""
        outside = Services.of(settings)
        try:
            return await probe(settings, outside, seconds)
        finally:
            await outside.close()

    async def until_broken(self, address: str) -> None:
        """Wait until what was started here is given up, or the tunnel leads elsewhere; then raise why."""
        watching = [asyncio.create_task(supervisor.until_broken()) for supervisor in self._supervisors]
        watching.append(asyncio.create_task(self._until_moved(address)))
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _until_moved(self, address: str) -> None:
        """Wait until the address changes: a tunnel opened anew has another one, unless it was reserved."""
        while (await self._options.agent.address_of(self._options.port) or address) == address:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        raise StackError(f"the tunnel is not at {address} any more: run `baton tunnel` again")

    async def _run(self, part: Part) -> None:
        supervisor = Supervisor([part], self._options.folder, self._screen, lambda: None)
        self._supervisors.append(supervisor)
        self._screen.notice(part.name, "starting")
        await supervisor.start()


_FOLDER = Path(".baton/tunnel")
_NAME_WIDTH = 10
_NEEDED = (
    "QSTASH_TOKEN",
    "QSTASH_CURRENT_SIGNING_KEY",
    "QSTASH_NEXT_SIGNING_KEY",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
)


@click.command()
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Settings that the environment does not have, such as .env; its WORKER_BASE_URL is set to the tunnel's.",
)
@click.option("--port", type=click.IntRange(1, 65_535), default=8090, show_default=True, metavar="N")
@click.option("--app", metavar="MODULE:ATTR", help="Your own agents' registry, imported from the current folder.")
@click.option("--no-app", is_flag=True, help="Start no app: one runs on that port, or will.")
@click.option(
    "--ngrok-api", default=API_URL, show_default=True, metavar="URL", help="The address of ngrok's local API."
)
@click.option("--timeout", "seconds", type=click.IntRange(1, 300), default=20, show_default=True, metavar="S")
def tunnel(*, env_file: Path | None, port: int, app: str | None, no_app: bool, ngrok_api: str, seconds: int) -> None:
    """Let the hosted queue reach an app on this machine, by ngrok.

    Starts ngrok unless it runs, and the app unless something answers on the port; both until Ctrl-C.
    """
    place = place_of(env_file, None)
    _settings(place, "http://127.0.0.1")  # wrong settings are reported before anything is started
    make_private_folder(_FOLDER)
    agent = Agent(ngrok_api.rstrip("/"))
    options = TunnelOptions(place.environment, port, agent, _FOLDER, app, starts_app=not no_app)

    async def run(interruption: Interruption) -> int:
        del interruption
        return await _run(Tunnelling(options, _Screen()), place, env_file, seconds)

    sys.exit(run_until_interrupted(run, lambda: _Screen().notice("baton", "stopping"), 0))


async def _run(tunnelling: Tunnelling, place: Place, env_file: Path | None, seconds: int) -> int:
    async with tunnelling.open() as address:
        _Screen().notice("tunnel", f"{address} leads here")
        settings = _settings(place, address)
        if env_file is not None:
            before = put_line(env_file, "WORKER_BASE_URL", address)
            _Screen().notice("tunnel", f"{env_file}: WORKER_BASE_URL is {address} now (was {before or 'not set'})")
        runs_already = not await tunnelling.run_app(address)
        await tunnelling.register(settings)
        findings = await tunnelling.check(settings, seconds)
        print("\n".join(map(lines_of, findings)), flush=True)
        if any(finding.level is Level.FAILED for finding in findings):
            return _failed(findings, runs_already=runs_already, address=address)
        if not tunnelling.started:
            print("Done: ngrok and the app run already.")
            return 0
        print(f"Ready at {address}. Ctrl-C ends what was started here.", flush=True)
        await tunnelling.until_broken(address)
    return 0


def _failed(findings: Sequence[Finding], *, runs_already: bool, address: str) -> int:
    if runs_already and any("signature is refused" in finding.text for finding in findings):
        print(f"The app ran before the tunnel: start it again with WORKER_BASE_URL={address}", flush=True)
    return 1


def _settings(place: Place, address: str) -> Settings:
    """Return the deployment's, at this address. Raises StackError: some are wrong or missing."""
    try:
        return read_settings({**place.environment, "WORKER_BASE_URL": address, "WORKER_URLS": ""}, *_NEEDED)
    except SettingsError as error:
        hint = "a tunnel is for the hosted services; on this machine alone, `baton dev` needs none"
        raise StackError(f"{error}\nlooked at: {place.origin} ({hint})") from error


class _Screen:
    def notice(self, name: str, line: str) -> None:
        print(f"{name:<{_NAME_WIDTH}} {line}", flush=True)

    log_line = notice
