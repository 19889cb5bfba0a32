"""`dev.json`: how other programs find a running stack.

Invariant: the file is there only while its stack is ready (a leftover of a killed run is removed at the next start),
is replaced in one step, and may be read by its owner only, since it holds every key. Key names are the contract's.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baton_local.dev.private_file import write_private_file

DEV_FILE_NAME = "dev.json"
TOLD_SETTINGS = (
    "QSTASH_TOPIC_PREFIX",
    "PUBLISH_BY",
    "MESSAGE_RETRIES",
    "MESSAGE_RETRY_DELAY_MS",
    "DELIVERIES_AT_ONCE",
    "MESSAGE_TIMEOUT_SECONDS",
    "WORK_TIMEOUT_SECONDS",
)


@dataclass(frozen=True)
class DevFile:
    """The content of `dev.json`.

    `settings`: what the person set that says how events go, for other commands. `store_url`: where the server is
    reached over RESP; then there is no REST API, and `redis_url` and `redis_token` are empty.
    """

    app_url: str
    qstash_url: str
    redis_url: str
    vector_url: str
    qstash_token: str
    redis_token: str
    vector_token: str
    client_key: str
    admin_key: str
    operations_key: str
    qstash_current_signing_key: str
    qstash_next_signing_key: str
    processes: dict[str, int]
    settings: dict[str, str] = field(default_factory=dict[str, str])
    store_url: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return it as it stands in the file."""
        return asdict(self)


def told_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the app's environment, what `baton setup` and `baton doctor` have to know."""
    return {name: environment[name] for name in TOLD_SETTINGS if environment.get(name)}


def write_dev_file(folder: Path, content: DevFile) -> None:
    """Replace the folder's `dev.json`."""
    write_private_file(folder / DEV_FILE_NAME, json.dumps(content.as_record(), indent=2) + "\n")


def remove_dev_file(folder: Path) -> None:
    """Take the folder's `dev.json` away, if it is there."""
    (folder / DEV_FILE_NAME).unlink(missing_ok=True)
