"""`baton tunnel`: an app on this machine, reached by the hosted queue through ngrok.

Finds the tunnel or opens it, starts the app with the tunnel's address, updates the queue's account, and sees that a
signed message gets through. Exit codes: 0 done, or ended with Ctrl-C; 1 something failed, with what to do.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from baton.settings.settings import Settings, read_settings
from baton_events.errors import SettingsError
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.cli.place import Place, place_of, put_line
from baton_local.dev.data_folder import make_private_folder
from baton_local.dev.stack_error import StackError
from baton_local.doctor.finding import Finding, Level, lines_of
from baton_local.tunnel import API_URL, Agent, Tunnelling, TunnelOptions

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
    """Line by line, with the part's name in front."""

    def notice(self, name: str, line: str) -> None:
        print(f"{name:<{_NAME_WIDTH}} {line}", flush=True)

    log_line = notice
