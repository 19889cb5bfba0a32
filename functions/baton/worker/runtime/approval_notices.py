"""Sends a notice that a call waits for approval: one message to a webhook, as Slack, Teams or a program reads it.

A message of the queue requests it, published with the wait's own. Invariant: a decided approval is not announced any
more; a notice that the webhook does not take is retried for some hours, and then logged. It never harms the job, whose
state it only reads. Secrets are not shown. Must not: decide.

The address by which a person without a key decides one approval holds its rights, signed: a text that was not signed
here, or was changed, is no link.
"""

import logging
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_json

from baton.engine.attempts import backoff_ms
from baton.engine.outbox import announcement
from baton.engine.state import CallRecord
from baton.engine.waits import Decider, approval_view, may_decide
from baton.sdk.clock import Clock
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.tools.sentence import approval_sentence
from baton.settings.settings import Settings
from baton.settings.signed_texts import SignedTexts
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton.worker.runtime.callbacks import Callbacks, signed_headers
from baton_events.emitter import Emitter
from baton_events.schema import AgentLoopInit
from baton_events.timestamps import moment

LINK_PATH = "/approve/"
_PURPOSE = "approval link"
_LIMIT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Link:
    """The rights of a link.

    `person`: whom its decision counts for, where several people must approve; empty: whoever it is named for.
    """

    checkpoint: str
    name: str
    may: tuple[str, ...]
    edit: bool
    until_ms: int
    person: str = ""

    @property
    def by(self) -> str:
        """The person who decides with it, as the decision names them."""
        return f"link:{self.name}" if self.name else "link"

    @property
    def decider(self) -> Decider:
        """Whom its decision counts for."""
        return Decider(self.by, self.person)


class SignedLinks:
    """Makes addresses of links, and reads their rights."""

    def __init__(self, settings: Settings) -> None:
        self._texts, self._base_url = SignedTexts(settings), settings.worker_base_url

    def url(self, link: Link) -> str:
        """Return the address; empty where the settings have no secret, or no address of this deployment."""
        if not (self._texts.has_secret and self._base_url):
            return ""
        return f"{self._base_url}{LINK_PATH}{self._texts.signed(_PURPOSE, asdict(link))}"

    def read(self, token: str) -> Link | None:
        """Read a link, whose time may be up; None: the token is no link."""
        found = self._texts.read(_PURPOSE, token) if len(token) <= _LIMIT_CHARS and self._texts.has_secret else None
        return Link(**{**found, "may": tuple(found["may"])}) if found else None


_log = logging.getLogger("baton.approvals")

ATTEMPTS, _DELAY_SECONDS = 12, 5.0  # 5 s, 10 s, … an hour: about three hours in all
_HOSTS = {"slack": (".slack.com",), "teams": (".webhook.office.com", ".logic.azure.com", ".powerplatform.com")}


class ApprovalNotices:
    def __init__(
        self,
        reader: Reader,
        emitter: Emitter,
        clock: Clock,
        callbacks: Callbacks | None,
        settings: Settings,
        secrets: KnownSecrets,
    ) -> None:
        self._reader, self._emitter, self._clock, self._callbacks = reader, emitter, clock, callbacks
        self._settings, self._secrets, self._links = settings, secrets, SignedLinks(settings)

    async def __call__(self, event: AgentLoopInit) -> None:
        """Send a notice, unless its approval is decided.

        Raises StoreError, PublishError: it must be retried at once, by its own message.
        """
        snapshot, now_ms = await self._reader.job(event.job_id), self._clock.now_ms()
        announced = event.payload.announces
        question = next((call for call in snapshot.calls if call.id == announced), None) if snapshot else None
        if snapshot is None or question is None:
            return await self._again(event, "it is not there (yet)")
        decision, ended = snapshot.results.get(question.id, {}), snapshot.job.ended
        view = approval_view(question, snapshot.job.id, decision, ended=ended, now_ms=now_ms)
        if view["status"] != "pending" or question.arguments["untilMs"] <= now_ms:
            return None
        escalates_ms = question.arguments.get("escalateMs") or 0
        escalated = bool(event.payload.escalated)
        # Where several people must approve, a later question may come after the escalation, which was sent then.
        is_ahead = escalates_ms > (question.started_at_ms or 0)
        if is_ahead and not escalated and event.payload.attempt == 1:
            await self._publish(event, question.id, 1, escalates_ms, escalated=True)
        urls, decider = self._settings.approval_urls, may_decide(question)
        if not urls or (decider == "user" and not escalated):
            return None
        why = await self._send(urls[-1] if escalated else urls[0], snapshot, question, view, escalated=escalated)
        return await self._again(event, why) if why else None

    async def _send(
        self, url: str, snapshot: Snapshot, question: CallRecord, view: dict[str, Any], *, escalated: bool
    ) -> str:
        """Send the notice; return why it was not taken, empty: it was."""
        if self._callbacks is None:
            return "nobody sends notices here"
        content, form = self._content(snapshot, question, view, escalated=escalated), self._form(url)
        body = to_json(_slack(content) if form == "slack" else _teams(content) if form == "teams" else content)
        headers = {"content-type": "application/json"}
        if form == "json":
            name = f"msg_{view['id']}.{'escalated' if escalated else 'asked'}"
            secret = self._settings.callback_key
            headers = signed_headers(secret, name, self._clock.now_ms(), body) if secret else headers
        return await self._callbacks.send(url, headers, body)

    def _content(
        self, snapshot: Snapshot, question: CallRecord, view: dict[str, Any], *, escalated: bool
    ) -> dict[str, Any]:
        base, agent = self._settings.worker_base_url, snapshot.job.agent
        number, until_ms = len(view.get("approvals", ())) + 1, question.arguments["untilMs"]
        # Each notice is one person's, whoever the channel that gets it shows it to.
        name, person = f"notice {number}", f"notice:{view['id']}"
        link = Link(view["id"], name, ("approve", "reject"), edit=False, until_ms=until_ms, person=person)
        has_link = self._settings.approval_links and may_decide(question) != "operator"
        return {
            "type": "approval.escalated" if escalated else "approval.asked",
            "sentence": self._secrets.hide(approval_sentence(agent, view)),
            "agent": agent,
            "jobId": snapshot.job.id,
            "checkpoint": self._secrets.hide_in(view),
            "url": f"{base}/console/approvals/{view['id']}" if base else "",
            "link": self._links.url(link) if has_link else "",
        }

    def _form(self, url: str) -> str:
        host = f".{urlsplit(url).hostname or ''}"
        return next((form for form, ends in _HOSTS.items() if host.endswith(ends)), "json")

    async def _again(self, event: AgentLoopInit, why: str) -> None:
        call_id, attempt = event.payload.announces or "", event.payload.attempt
        if attempt >= ATTEMPTS:
            _log.warning("the approval of %s is not announced (APPROVAL_WEBHOOK_URL): %s", call_id, why)
            return
        later_ms = self._clock.now_ms() + backoff_ms(_DELAY_SECONDS, attempt)
        await self._publish(event, call_id, attempt + 1, later_ms, escalated=bool(event.payload.escalated))

    async def _publish(
        self, event: AgentLoopInit, call_id: str, attempt: int, not_before_ms: int, *, escalated: bool
    ) -> None:
        head = (event.job_id, event.session_id, moment(self._clock.now_ms()))
        made = announcement(*head, call_id, attempt, escalated=escalated)
        await self._emitter.emit(made, not_before_ms=not_before_ms, deduplication_id=made.id)


def _heading(content: dict[str, Any]) -> str:
    return f"{'Still waiting: ' if content['type'] == 'approval.escalated' else ''}{content['checkpoint']['summary']}"


def _actions(content: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (text, content[name]) for text, name in (("Decide here", "link"), ("Open the console", "url")) if content[name]
    ]


def _slack(content: dict[str, Any]) -> dict[str, Any]:
    """Return the notice in Block Kit; all texts are plain, so nothing in them is markup. `text`: for a notification."""
    escaped = content["sentence"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    where = f"{content['agent']} · {content['jobId']}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _heading(content)[:150]}},
        {"type": "section", "text": {"type": "plain_text", "text": content["sentence"]}},
        {"type": "context", "elements": [{"type": "plain_text", "text": where}]},
    ]
    buttons = [
        {"type": "button", "text": {"type": "plain_text", "text": text}, "url": url} for text, url in _actions(content)
    ]
    return {"text": escaped, "blocks": [*blocks, *([{"type": "actions", "elements": buttons}] if buttons else [])]}


def _teams(content: dict[str, Any]) -> dict[str, Any]:
    """Return the notice as an Adaptive Card; its texts are runs, in which nothing is markup."""

    def run(text: str, **style: Any) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}

    where = f"{content['agent']} · {content['jobId']}"
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [run(_heading(content), weight="Bolder"), run(content["sentence"]), run(where, isSubtle=True)],
        "actions": [{"type": "Action.OpenUrl", "title": text, "url": url} for text, url in _actions(content)],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
