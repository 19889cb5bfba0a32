"""The local QStash as a process of its own, for the real side of the contract."""

from pathlib import Path

from baton.settings.settings import Settings
from baton_local.fixtures.stand_in_process import StandInProcess


class QStashProcess(StandInProcess):
    def __init__(self, folder: Path) -> None:
        super().__init__("baton_local.qstash", folder, "QSTASH_NEXT_SIGNING_KEY", ("--no-sync",))
        self.start()

    def settings(self, worker_base_url: str) -> Settings:
        """Settings of a program that publishes here and is delivered to there."""
        return Settings(
            qstash_url=self.exports["QSTASH_URL"],
            qstash_token=self.exports["QSTASH_TOKEN"],
            current_signing_key=self.exports["QSTASH_CURRENT_SIGNING_KEY"],
            next_signing_key=self.exports["QSTASH_NEXT_SIGNING_KEY"],
            worker_base_url=worker_base_url,
        )
