"""Accounts of the queue for tests: fakes, set up or not."""

from dataclasses import dataclass, field

from baton.settings.settings import Settings
from baton_local.setup.account import Account
from baton_local.setup.wanted import Difference, difference, wanted_of
from tests.fakes.queue_setup import FakeQueueSetup
from tests.fakes.schedules import FakeSchedules

SETTINGS = Settings(qstash_token="token", worker_base_url="https://fn.example.com/api/v2")


@dataclass
class FakeAccount:
    setup: FakeQueueSetup = field(default_factory=FakeQueueSetup)
    schedules: FakeSchedules = field(default_factory=FakeSchedules)

    @property
    def account(self) -> Account:
        return Account(self.setup, self.schedules)

    async def difference(self, settings: Settings = SETTINGS) -> Difference:
        return difference(wanted_of(settings), await self.account.read())

    async def set_up(self, settings: Settings = SETTINGS, *, prune: bool = False) -> list[str]:
        found = await self.difference(settings)
        todo = (*found.changes, *(found.left if prune else ()))
        return [remark for change in todo if (remark := await self.account.apply(change))]
