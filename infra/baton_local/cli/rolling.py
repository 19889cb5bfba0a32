"""`baton keys roll`: the queue's signing keys are rolled, if the functions that run now are ready for it.

Invariant: never rolled unless every function takes both keys of the account: a message is then let in before and after,
by the key that stays. Keys are shown only where they have to be copied, on the last two lines.
"""

import asyncio
from pathlib import Path

import click

from baton.configuration.settings import Settings, require
from baton.ports.queue_setup import QueueSetup, SigningKeys
from baton_events.errors import PublishError, SettingsError
from baton_local.cli.place import Place, with_place
from baton_local.dev.stack_error import StackError
from baton_local.doctor.next_key import refusals
from baton_local.doctor.outside import Outside
from baton_local.tunnel.env_file import put

_NEEDED = ("QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY", "WORKER_BASE_URL")


@click.command()
@with_place
@click.option("--check", is_flag=True, help="Only see whether they may be rolled now.")
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Put the new keys into this env file.",
)
def roll(place: Place, *, check: bool, write: Path | None) -> None:
    """Roll the queue's signing keys; then deploy the new ones."""
    settings = place.settings()
    try:
        require(settings, *_NEEDED)
        keys = asyncio.run(_roll(settings, check=check))
    except (SettingsError, PublishError) as error:
        raise StackError(str(error)) from error
    if check:
        print("They may be rolled now: every function accepts the next key.")
        return
    print("Rolled. The running functions accept messages by their next key. Deploy both new keys, and see")
    print("`baton doctor`; do not roll again before that.")
    if write is not None:
        put(write, "QSTASH_CURRENT_SIGNING_KEY", keys.current)
        put(write, "QSTASH_NEXT_SIGNING_KEY", keys.following)
        print(f"They are in {write}.")
    else:
        print(f"QSTASH_CURRENT_SIGNING_KEY={keys.current}")
        print(f"QSTASH_NEXT_SIGNING_KEY={keys.following}")


async def _roll(settings: Settings, *, check: bool) -> SigningKeys:
    outside = Outside.of(settings)
    try:
        await _require_ready(settings, outside.setup, outside.clock.now_ms() // 1000)
        return await (outside.setup.signing_keys() if check else outside.setup.roll_signing_keys())
    finally:
        await outside.close()


async def _require_ready(settings: Settings, setup: QueueSetup, now_seconds: int) -> None:
    """Raises StackError unless every function takes both keys of the account."""
    account = await setup.signing_keys()
    if (settings.current_signing_key, settings.next_signing_key) != (account.current, account.following):
        raise StackError(
            "not rolled: the settings do not have the account's present keys, so the functions may not, either. Set "
            "both to those of the queue's console, deploy, and see `baton doctor`"
        )
    refused = await refusals(settings, now_seconds)
    if refused:
        told = "\n".join(f"  - {each}" for each in refused)
        raise StackError(f"not rolled: the next key's signatures would be refused. Deploy both keys first:\n{told}")
