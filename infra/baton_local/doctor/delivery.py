"""Sends a probe through the queue to every endpoint, and says what its fate means; compares the clocks as well.

Each way to fail has its own sentence. A signature is valid for five minutes and is checked without any tolerance
(qstash.md 9): a clock that is a little late already refuses a fresh signature. Invariant: nothing is left behind: a
probe is tried once, reports its failure to nobody, and is taken out of the dead letters. It is published by direct URL,
whatever PUBLISH_BY says: topics may have subscribers of others.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from msgspec import structs

from baton.queue.ports import LogEntry, QueueRecords
from baton.sdk.clock import Clock
from baton.settings.settings import Settings
from baton.worker.runtime.webhook import PROBE_OUTCOME, own_version, probe_body
from baton_events.emitter import message_to, sealing_in
from baton_events.errors import PublishError
from baton_events.messages import Queue
from baton_events.schema import WEBHOOK_ENDPOINTS
from baton_events.sealing import Sealing
from baton_local.doctor.finding import Finding, failed, ok, warning

CLOCK = "clock"
_LATE_MS = 1_000
_EARLY_MS, _TOO_EARLY_MS = 60_000, 240_000
_WAY_OUT = "let the clock be set by NTP; if the functions run on other machines, theirs is the one that counts"


def judge_clock(queue_ms: int, before_ms: int, after_ms: int) -> Finding:
    """Compare the queue's time of a message with this machine's clock just before and after it was published."""
    late_ms, early_ms = queue_ms - after_ms, before_ms - queue_ms
    if late_ms > _LATE_MS:
        text = f"this machine's clock is {late_ms / 1000:.1f} s behind the queue's: signatures seem not yet valid"
        return failed(CLOCK, text, _WAY_OUT)
    if early_ms > _TOO_EARLY_MS:
        text = f"this machine's clock is {early_ms / 1000:.0f} s ahead of the queue's: signatures seem too old"
        return failed(CLOCK, text, _WAY_OUT)
    if early_ms > _EARLY_MS:
        return warning(CLOCK, f"this machine's clock is {early_ms / 1000:.0f} s ahead of the queue's", _WAY_OUT)
    return ok(CLOCK, "agrees with the queue's")


ENDPOINTS, PAYLOADS = "endpoints", "payloads"
OVER = ("DELIVERED", "FAILED", "CANCELED")
_MALFORMED = 489
_ANSWERED, _REDIRECT = 2, 3  # hundreds
_ALIKE = "the same WORKER_BASE_URL and signing keys here and in the deployment, and its clock right"
_IN_FRONT = "let the queue's requests through there (a function URL: auth type NONE): their signature protects them"
_REACHABLE = "see that the server runs, is open to the internet, has a valid certificate, and that the address is right"
_ROTATION = "deploy the same PAYLOAD_KEYS everywhere: a new key second, then first"
_POLL = "see the functions' log: a setting may be missing there"
_BASE = "check the path in WORKER_BASE_URL: the functions serve /workers/… below it"
_TUNNEL = "the tunnel is closed, or leads nowhere: start the app, and run `baton tunnel`"

_BY_STATUS = {
    403: ("something in front of the functions refuses the queue (403)", _IN_FRONT),
    404: ("nothing is served there (404)", _BASE),
    405: ("it does not take POST (405)", _BASE),
    429: (
        "something in front of the functions limits the queue (429)",
        "raise that limit: the queue shapes its traffic",
    ),
    _MALFORMED: ("the functions know no probe: they are older than this command (489)", "deploy this version"),
    500: ("the function fails (500)", _POLL),
    502: ("the server behind the address does not answer (502)", _REACHABLE),
    503: ("the function is not able to answer (503)", _POLL),
    504: ("the server behind the address is too slow (504)", _REACHABLE),
}


def verdict(entry: LogEntry, version: str) -> Finding:
    """Return the finding of a probe's last log entry; `version`: of this code."""
    if entry.status == 0:
        reason = entry.error or f"it is {entry.state}"
        return failed(ENDPOINTS, f"the queue cannot reach it: {reason[:200]}", _REACHABLE)
    if "ERR_NGROK" in entry.answer:
        return failed(ENDPOINTS, f"ngrok answers itself ({entry.status})", _TUNNEL)
    answer = _json(entry.answer)
    if entry.status == HTTPStatus.UNAUTHORIZED:
        return _refused(answer)
    kind = entry.status // 100
    if kind == _ANSWERED:
        return _answered(entry, answer, version)
    if kind == _REDIRECT:
        return failed(
            ENDPOINTS,
            f"it answers with a redirect ({entry.status}), which the queue does not follow",
            "set WORKER_BASE_URL to the address that it leads to: https, the right host, no slash at the end",
        )
    text, way_out = _BY_STATUS.get(entry.status, (f"it answers {entry.status}", _POLL))
    detail = str(answer.get("detail", ""))[:200]
    return failed(ENDPOINTS, f"{text}{f': {detail}' if detail else ''}", way_out)


def _refused(answer: dict[str, Any]) -> Finding:
    if answer.get("title") == "webhook refused":
        return failed(ENDPOINTS, f"reached, and the signature is refused (401): {answer.get('detail')}", _ALIKE)
    return failed(ENDPOINTS, "something in front of the functions asks for a login (401)", _IN_FRONT)


def _answered(entry: LogEntry, answer: dict[str, Any], version: str) -> Finding:
    if answer.get("outcome") == PROBE_OUTCOME:
        theirs = str(answer.get("version", ""))
        if theirs and version and theirs != version:
            return warning(
                ENDPOINTS, f"reached, signature believed; it runs version {theirs}, this is {version}", "deploy"
            )
        return ok(ENDPOINTS, "reached by the queue, signature believed")
    if not entry.answer:
        return ok(ENDPOINTS, f"reached by the queue ({entry.status}; it does not show the answer)")
    return failed(ENDPOINTS, f"another program answers there: {entry.answer[:60]!r}", _BASE)


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


_ANSWER_SECONDS = 10
_POLL_SECONDS = 0.2
_LABEL = "baton-doctor"


class Probes:
    def __init__(self, queue: Queue, records: QueueRecords, clock: Clock, name: str) -> None:
        self._queue, self._records, self._clock = queue, records, clock
        self._label = f"{_LABEL}-{name}"

    async def send(self, settings: Settings, timeout_seconds: int) -> list[Finding]:
        urls = {settings.endpoint_url(endpoint): endpoint for endpoint in WEBHOOK_ENDPOINTS}
        before_ms = self._clock.now_ms()
        results = await asyncio.gather(*(self._publish(settings, endpoint) for endpoint in urls.values()))
        after_ms = self._clock.now_ms()
        sent = {result: url for result, url in zip(results, urls, strict=True) if isinstance(result, str)}
        found = {url: _not_taken(error) for error, url in zip(results, urls, strict=True) if not isinstance(error, str)}
        try:
            entries = await self._outcomes(frozenset(sent), timeout_seconds)
            await self._tidy()
        except PublishError as error:
            return [failed(ENDPOINTS, f"the queue's log cannot be read: {error}", "check that the token may read it")]
        found |= {url: _found(entries.get(message_id, []), timeout_seconds) for message_id, url in sent.items()}
        created = [entry.at_ms for entries_of in entries.values() for entry in entries_of if entry.state == "CREATED"]
        clocks = [judge_clock(min(created), before_ms, after_ms)] if created else []
        keys = {urls[url]: _json(answer) for name, url in sent.items() for answer in _answers(entries.get(name, []))}
        return [*clocks, *_together(found, urls), *judge_keys(keys, sealing_in(settings))]

    async def _publish(self, settings: Settings, endpoint: str) -> str | PublishError:
        message = message_to(settings, endpoint, probe_body(self._label))
        alone = structs.replace(
            message, label=self._label, failure_callback="", retries=0, timeout_seconds=_ANSWER_SECONDS
        )
        try:
            return (await self._queue.publish([alone]))[0]
        except PublishError as error:
            return error

    async def _outcomes(self, wanted: frozenset[str], timeout_seconds: int) -> dict[str, list[LogEntry]]:
        until_ms = self._clock.now_ms() + timeout_seconds * 1000
        while True:
            entries_of: dict[str, list[LogEntry]] = {}
            for entry in (await self._records.log(label=self._label)).entries:
                entries_of.setdefault(entry.message.id, []).append(entry)
            over = {name for name, entries in entries_of.items() if any(entry.state in OVER for entry in entries)}
            if wanted <= over or self._clock.now_ms() >= until_ms:
                return entries_of
            await asyncio.sleep(_POLL_SECONDS)

    async def _tidy(self) -> None:
        letters = (await self._records.dead_letters(label=self._label)).letters
        if letters:
            await self._records.delete([letter.id for letter in letters])


def _not_taken(error: PublishError) -> Finding:
    way_out = "see that the token may publish, and that the queue can reach this address: not a private one"
    return failed(ENDPOINTS, f"the queue does not take a message to it: {error}", way_out)


def _found(entries_of: Sequence[LogEntry], timeout_seconds: int) -> Finding:
    """Return the finding of a probe. The attempt's own entry says more than the one that ends the message."""
    answered = [entry for entry in entries_of if entry.status or entry.error]
    over = [entry for entry in entries_of if entry.state in OVER]
    if answered or over:
        return verdict((answered or over)[0], own_version())
    state = entries_of[0].state if entries_of else "nowhere in its log"
    return failed(
        ENDPOINTS,
        f"the queue has not delivered within {timeout_seconds} s: the message is {state}",
        "wait longer with --timeout; see what holds it up: with QUEUE=redis no pump that runs (`baton serve`, `baton"
        " pump`), else flow control or limits of the plan in the queue's console",
    )


def _answers(entries_of: Sequence[LogEntry]) -> list[str]:
    return [entry.answer for entry in entries_of if entry.answer][:1]


def judge_keys(answers: Mapping[str, dict[str, Any]], own: Sealing) -> list[Finding]:
    """Return a warning for each key that some process seals payloads by, and that others cannot open."""
    here = {"keyIds": own.key_ids, "sealsBy": own.first}
    everyone = {name: answer for name, answer in answers.items() if answer.get("outcome") == PROBE_OUTCOME}
    everyone |= {"this command": here}
    sealing = sorted({str(each["sealsBy"]) for each in everyone.values() if each.get("sealsBy")})
    found = list[Finding]()
    for key in sealing:
        lacking = [name for name, each in everyone.items() if key not in each.get("keyIds", ())]
        if lacking:
            text = f"payloads are encrypted by key {key!r}, which {', '.join(lacking)} cannot open"
            found.append(warning(PAYLOADS, text, _ROTATION))
    if sealing and not found:
        found.append(ok(PAYLOADS, f"encrypted by key {', '.join(map(repr, sealing))}, which every process can open"))
    return found


def _together(found: Mapping[str, Finding], urls: Mapping[str, str]) -> list[Finding]:
    alike: dict[Finding, list[str]] = {}
    for url, finding in found.items():
        alike.setdefault(finding, []).append(url)
    return [replace(finding, text=f"{_names(group, urls)}: {finding.text}") for finding, group in alike.items()]


def _names(group: Sequence[str], urls: Mapping[str, str]) -> str:
    bases = sorted({url.removesuffix(urls[url]) for url in group})
    names = f"all {len(urls)}" if len(group) == len(urls) else ", ".join(urls[url] for url in group)
    return f"{names} at {', '.join(bases)}"
