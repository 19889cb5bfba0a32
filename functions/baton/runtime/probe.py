"""The probe: a message that asks a webhook whether the queue reaches it and whether it believes the queue's signature.

Invariant: it is answered after the signature was checked and before anything is read, so it changes nothing, whichever
endpoint it comes to. `baton doctor` sends it. Must not: tell anything that an outsider could use.
"""

from baton.distribution import DISTRIBUTION
from baton_events.schema import SCHEMA_VERSION

PROBE_WORD = "probe"
_START = b'{"type":"baton.probe"'


def probe_body(name: str) -> str:
    """The body of a probe; `name` tells it from others."""
    return f'{_START.decode()},"name":"{name}"}}'


def is_probe(body: bytes) -> bool:
    """Whether a signed body is one."""
    return body.startswith(_START)


def probe_answer() -> dict[str, str | int]:
    """What a probe is told: that it was understood, and by which code."""
    return {"outcome": PROBE_WORD, "version": own_version(), "schemaVersion": SCHEMA_VERSION}


def own_version() -> str:
    """The version of this code; empty where only its files were installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and only probes ask

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""
