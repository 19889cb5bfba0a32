"""One running local stack on one data folder, from its lock to its last process.

Invariant: inside the `async with` block every part serves and `dev.json` says how to reach it; after the block, however
it ends, no process of the stack is left and `dev.json` is gone. Used by `baton dev` and `baton demo`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeVar

from baton_events.errors import SettingsError
from baton_local.dev.data_folder import (
    DevFile,
    folder_lock,
    make_private_folder,
    remove_dev_file,
    shown_settings,
    write_dev_file,
)
from baton_local.dev.environment import inherited_environment, reach_loopback_directly
from baton_local.dev.part_log import Screen
from baton_local.dev.parts import StackOptions, StackPlan, app_environment, part_url, remove_socket_folder
from baton_local.dev.ports import ChosenPorts, PortHolds, choose_ports, read_remembered_ports, remember_ports
from baton_local.dev.secrets_file import load_or_make_secrets
from baton_local.dev.stack_error import StackError
from baton_local.dev.supervisor import Supervisor

STACK_NAME = "baton"
_ALIKE = 0.88  # of names: one letter or two of a usual name
T = TypeVar("T")


class LocalStack:
    """A stack on its folder; `running` is its life."""

    def __init__(self, options: StackOptions, screen: Screen) -> None:
        self._options, self._screen = options, screen
        self._supervisor: Supervisor | None = None
        self._plan: StackPlan | None = None
        self._described = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DevFile]:
        """Run all parts for the time of the block; only one stack runs on a folder."""
        folder = self._options.folder
        with folder_lock(folder), contextlib.closing(PortHolds()) as holds:
            remove_dev_file(folder)
            reach_loopback_directly()
            self._plan = plan = self._make_plan(holds)
            self._check(app_environment(plan))
            logs = folder / "logs"
            make_private_folder(logs)
            self._supervisor = supervisor = Supervisor(
                self._options.parts_of(plan), logs, self._screen, self._on_change
            )
            try:
                await supervisor.start()
                self._described = True
                self._on_change()
                yield self.description()
            finally:
                self._described = False
                remove_dev_file(folder)
                await supervisor.stop()
                remove_socket_folder(plan)

    async def until_broken(self) -> None:
        """Wait until a part is given up, and raise its reason."""
        assert self._supervisor is not None
        await self._supervisor.until_broken()

    async def unless_broken(self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work on the running stack; when a part is given up meanwhile, raise its reason."""
        working = asyncio.create_task(work)
        breaking = asyncio.create_task(self.until_broken())
        try:
            await asyncio.wait([working, breaking], return_when=asyncio.FIRST_COMPLETED)
            if breaking.done():
                await breaking
            return await working
        finally:
            working.cancel()
            breaking.cancel()
            await asyncio.gather(working, breaking, return_exceptions=True)

    def kill(self) -> None:
        """End every process with -9, now."""
        if self._supervisor is not None:
            self._supervisor.kill()

    def description(self) -> DevFile:
        """Return what `dev.json` says at this moment."""
        assert self._plan is not None
        assert self._supervisor is not None
        plan = self._plan
        has_qstash = plan.options.queue == "qstash"
        return DevFile(
            app_url=part_url(plan.ports, "app"),
            qstash_url=part_url(plan.ports, "qstash") if has_qstash else "",
            redis_url="" if plan.store_url else part_url(plan.ports, "redis_rest"),
            vector_url=part_url(plan.ports, "vector"),
            qstash_token=plan.secrets.qstash_token if has_qstash else "",
            redis_token="" if plan.store_url else plan.secrets.redis_token,
            vector_token=plan.secrets.vector_token,
            client_key=plan.secrets.client_key,
            admin_key=plan.secrets.admin_key,
            operations_key=plan.secrets.operations_key,
            qstash_current_signing_key=plan.secrets.qstash_current_signing_key,
            qstash_next_signing_key=plan.secrets.qstash_next_signing_key,
            processes=self._supervisor.process_ids(),
            settings=shown_settings(app_environment(plan)),
            store_url=plan.store_url,
            fault=self._supervisor.fault(),
        )

    def _make_plan(self, holds: PortHolds) -> StackPlan:
        folder = self._options.folder.resolve()
        stack_secrets = load_or_make_secrets(folder)
        chosen: ChosenPorts = choose_ports(
            read_remembered_ports(folder), self._options.port, holds.take, holds.take_any, self._options.ports
        )
        for remark in chosen.remarks:
            self._screen.notice(STACK_NAME, remark)
        remember_ports(folder, chosen.ports)
        inherited = {**inherited_environment(), **self._options.settings}
        options = replace(self._options, folder=folder)
        return StackPlan(options, chosen.ports, stack_secrets, inherited, holds.listeners_of(chosen.ports))

    def _check(self, environment: Mapping[str, str]) -> None:
        """Check the app's settings before anything starts, and name those that are misspelt.

        Raises StackError: settings are wrong, of which the app would only die.
        """
        from baton.settings.settings import read_settings  # noqa: PLC0415 - as the SDK, later than the lock
        from baton.settings.table import ALL_SETTINGS  # noqa: PLC0415 - likewise

        try:
            read_settings(environment)
        except SettingsError as error:
            raise StackError(str(error)) from error
        names = [name for setting in ALL_SETTINGS for name in (setting.name, setting.alias)]
        for name in sorted(environment.keys() - names):
            if near := get_close_matches(name, names, 1, _ALIKE):
                self._screen.notice(STACK_NAME, f"{name} is no setting: did you mean {near[0]}?")

    def _on_change(self) -> None:
        if self._described:
            write_dev_file(self._options.folder, self.description())
