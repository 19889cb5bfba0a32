"""`baton setup`: makes the account of the queue as the deployment needs it, tries the object store, says what it did.

Invariant: doing it again changes nothing; `--dry-run` changes nothing at all; nothing is taken away without `--prune`.
"""

import asyncio

import click

from baton.sdk.agents.loader import RegistryNotLoadedError
from baton.sdk.clock import SystemClock, SystemRandomness
from baton.settings.settings import Settings, require
from baton.store.objects import objects_of
from baton_events.errors import PublishError, SettingsError
from baton_local.cli.place import Place, with_place
from baton_local.dev.stack_error import StackError
from baton_local.doctor.finding import Level
from baton_local.doctor.store import NO_STORE, check_objects
from baton_local.setup.account import Account, code_of
from baton_local.setup.wanted import Wanted, described, difference, unreachable_base, wanted_of

NEEDED = ("QSTASH_TOKEN", "WORKER_BASE_URL")


@click.command()
@with_place
@click.option("--dry-run", is_flag=True, help="Print the difference, and change nothing.")
@click.option("--prune", is_flag=True, help="Also remove what has our prefix and is unknown to the code.")
def setup(place: Place, *, dry_run: bool, prune: bool) -> None:
    """Create or update topics, endpoints and schedules in the queue's account, and try the object store."""
    settings = place.settings()
    try:
        require(settings, *NEEDED)
    except SettingsError as error:
        raise StackError(f"{error}\nlooked at: {place.origin}") from error
    refusal = unreachable_base(settings)
    if refusal:
        raise StackError(refusal)
    print(f"queue   {settings.queue_place}  ({place.origin})")
    print(f"app     {settings.worker_base_url}", flush=True)
    try:
        wanted = wanted_of(settings, *asyncio.run(code_of(settings)))
        asyncio.run(_run(settings, wanted, dry_run=dry_run, prune=prune))
        asyncio.run(_objects(settings, dry_run=dry_run))
    except RegistryNotLoadedError as error:
        raise StackError(f"the topics of app events are those of BATON_APP's handlers: {error}") from error
    except (PublishError, SettingsError) as error:
        raise StackError(str(error)) from error


async def _objects(settings: Settings, *, dry_run: bool) -> None:
    """Try the object store, which makes a folder; without one, say how to get one.

    Raises StackError: it does not take what a job would give it. SettingsError: the extra is missing.
    """
    objects = objects_of(settings)
    if objects is None:
        print(f"objects {NO_STORE}")
        return
    if dry_run:
        print(f"objects {settings.object_store_urls[0]}  (tried without --dry-run)")
        return
    for found in await check_objects(objects, settings, SystemRandomness().token()):
        if found.level is Level.FAILED:
            raise StackError(f"the object store does not take what a job would give it: {found.text}\n{found.way_out}")
        print(f"objects {found.text}" + (f"\n  {found.way_out}" if found.way_out else ""))


async def _run(settings: Settings, wanted: Wanted, *, dry_run: bool, prune: bool) -> None:
    account = Account.of(settings)
    try:
        found = difference(wanted, await account.read(), SystemClock().now_ms())
        todo = (*found.changes, *(found.left if prune else ()))
        for change in todo:
            remark = "" if dry_run else await account.apply(change)
            print(described(change) + (f"\n  {remark}" if remark else ""), flush=True)
        changes = f"{len(todo)} change{'s' if len(todo) > 1 else ''}"
        made = "to make; nothing was changed (--dry-run)." if dry_run else "made."
        print(f"{changes} {made}" if todo else "Nothing to do: topics, endpoints and schedules are as they should be.")
        if found.left and not prune:
            lines = "\n".join(map(described, found.left))
            print(f"Not ours, or no longer; --prune takes it away (an endpoint more gets every event, too):\n{lines}")
    finally:
        await account.close()
