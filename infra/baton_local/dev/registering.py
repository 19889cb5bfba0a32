"""Registers topics and the sweep's schedule with the local queue, as `baton setup` does with the hosted one.

A queue that does not take them is no reason not to start: jobs have their own sweeps while they run, and events go by
direct URL unless PUBLISH_BY says otherwise.
"""

from collections.abc import Mapping

from baton.configuration.settings import read_settings
from baton_events.errors import PublishError, SettingsError
from baton_local.setup.account import Account
from baton_local.setup.difference import difference
from baton_local.setup.wanted import wanted_of


async def register(environment: Mapping[str, str]) -> str | None:
    """Register what the app with this environment needs; return None, or in one line why the queue did not take it."""
    try:
        settings = read_settings(environment)
    except SettingsError:
        return None  # the app says so itself
    account = Account.of(settings)
    try:
        for change in difference(wanted_of(settings), await account.look()).changes:
            await account.apply(change)
    except PublishError as error:
        return f"the queue did not take its topics and the hourly sweep: {error}"
    finally:
        await account.close()
    return None
