"""Sends a probe through the queue to every endpoint, and waits for what becomes of it; compares the clocks by the way.

Invariant: nothing is left behind: a probe is tried once, tells nobody that it failed, and is taken out of the dead
letters. It is published by direct URL, whatever PUBLISH_BY says: topics may have subscribers of others.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from baton.configuration.settings import Settings
from baton.ports import Clock, LogEntry, Queue, QueueRecords
from baton.runtime.probe import own_version, probe_body
from baton_events.emitter import message_to
from baton_events.errors import PublishError
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_local.doctor.clocks import judge_clock
from baton_local.doctor.delivery import CHECK, OVER, verdict
from baton_local.doctor.finding import Finding, failed

_ANSWER_SECONDS = 10
_LOOK_SECONDS = 0.2
_LABEL = "baton-doctor"


class Probes:
    """Probes under one name, which nobody else uses."""

    def __init__(self, queue: Queue, records: QueueRecords, clock: Clock, name: str) -> None:
        self._queue = queue
        self._records = records
        self._clock = clock
        self._label = f"{_LABEL}-{name}"

    async def send(self, settings: Settings, timeout_seconds: int) -> list[Finding]:
        """What is to be said of all endpoints."""
        urls = {settings.endpoint_url(endpoint): endpoint for endpoint in WEBHOOK_ENDPOINTS}
        before_ms = self._clock.now_ms()
        results = await asyncio.gather(*(self._publish(settings, endpoint) for endpoint in urls.values()))
        after_ms = self._clock.now_ms()
        sent = {result: url for result, url in zip(results, urls, strict=True) if isinstance(result, str)}
        found = {url: _refused(error) for error, url in zip(results, urls, strict=True) if not isinstance(error, str)}
        try:
            entries = await self._outcomes(frozenset(sent), timeout_seconds)
            await self._tidy()
        except PublishError as error:
            return [failed(CHECK, f"the queue's log cannot be read: {error}", "check that the token may read it")]
        found |= {url: _found(entries.get(message_id, []), timeout_seconds) for message_id, url in sent.items()}
        created = [entry.at_ms for happened in entries.values() for entry in happened if entry.state == "CREATED"]
        clocks = [judge_clock(min(created), before_ms, after_ms)] if created else []
        return [*clocks, *_together(found, urls)]

    async def _publish(self, settings: Settings, endpoint: str) -> str | PublishError:
        message = message_to(settings, endpoint, probe_body(self._label))
        alone = replace(message, label=self._label, failure_callback="", retries=0, timeout_seconds=_ANSWER_SECONDS)
        try:
            return (await self._queue.publish([alone]))[0]
        except PublishError as error:
            return error

    async def _outcomes(self, wanted: frozenset[str], timeout_seconds: int) -> dict[str, list[LogEntry]]:
        """What happened to each, the newest first, once all is over or nothing more is waited for."""
        until_ms = self._clock.now_ms() + timeout_seconds * 1000
        while True:
            happened: dict[str, list[LogEntry]] = {}
            for entry in (await self._records.log(label=self._label)).entries:
                happened.setdefault(entry.message.id, []).append(entry)
            over = {name for name, entries in happened.items() if any(entry.state in OVER for entry in entries)}
            if wanted <= over or self._clock.now_ms() >= until_ms:
                return happened
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tidy(self) -> None:
        letters = (await self._records.dead_letters(label=self._label)).letters
        if letters:
            await self._records.delete([letter.id for letter in letters])


def _refused(error: PublishError) -> Finding:
    way_out = "see that the token may publish, and that the queue can reach this address: not a private one"
    return failed(CHECK, f"the queue does not take a message to it: {error}", way_out)


def _found(happened: Sequence[LogEntry], timeout_seconds: int) -> Finding:
    """The attempt's own entry says more than the one that ends the message."""
    telling = [entry for entry in happened if entry.status or entry.error]
    over = [entry for entry in happened if entry.state in OVER]
    if telling or over:
        return verdict((telling or over)[0], own_version())
    state = happened[0].state if happened else "nowhere in its log"
    return failed(
        CHECK,
        f"the queue has not delivered within {timeout_seconds} s: the message is {state}",
        "wait longer with --timeout; see the queue's console for what holds it up (flow control, limits of the plan)",
    )


def _together(found: Mapping[str, Finding], urls: Mapping[str, str]) -> list[Finding]:
    """Endpoints of which the same is to be said share a line."""
    alike: dict[Finding, list[str]] = {}
    for url, finding in found.items():
        alike.setdefault(finding, []).append(url)
    return [replace(finding, text=f"{_names(group, urls)}: {finding.text}") for finding, group in alike.items()]


def _names(group: Sequence[str], urls: Mapping[str, str]) -> str:
    bases = sorted({url.removesuffix(urls[url]) for url in group})
    names = f"all {len(urls)}" if len(group) == len(urls) else ", ".join(urls[url] for url in group)
    return f"{names} at {', '.join(bases)}"
