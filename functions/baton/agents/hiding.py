"""What models and tools say, without secrets: foreign text comes in here, before anything is recorded of it.

Invariant: no value that the settings know as a secret, and none that stands under a secret's name in a call's
arguments, gets into a result, an error, an answer or a part. A model's arguments are cleaned of the settings' values
before the tool sees them: a model has no business with them. Must not: change the arguments' own secrets, which the
tool needs; they are redacted in what is recorded (`baton.core.redaction`).
"""

from msgspec.structs import replace

from baton.agents.performing import Performing
from baton.core.effects import RunTool, Work
from baton.core.happenings import (
    Aside,
    Happening,
    ModelAnswered,
    ModelFailed,
    ToolFailed,
    ToolReturned,
    ToolWaits,
    Wanted,
)
from baton.core.redaction import KnownSecrets, redacted, redacted_json
from baton.core.state import Failure
from baton.ports import Claim, History


class Hiding:
    """Performs what another one does, and hides secrets in what happened."""

    def __init__(self, performer: Performing, secrets: KnownSecrets) -> None:
        self._performer = performer
        self._secrets = secrets

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work."""
        secrets = self._secrets.and_those_in(effect.call.arguments) if isinstance(effect, RunTool) else self._secrets
        happened = await self._performer(effect, history, claim)
        return hidden(happened, secrets) if happened is not None else None


def hidden(happened: Happening, secrets: KnownSecrets) -> Happening:
    """What happened, without secrets."""
    match happened:
        case ToolReturned():
            return ToolReturned(_json(happened.result_json, secrets))
        case ToolWaits():
            child = happened.child and replace(happened.child, task=secrets.hide_in(happened.child.task))
            return replace(happened, otherwise=_json(happened.otherwise, secrets), child=child)
        case ToolFailed():
            return ToolFailed(_failure(happened.failure, secrets))
        case ModelFailed():
            failure = _failure(happened.failure, secrets)
            return replace(happened, failure=failure, aside=_aside(happened.aside, secrets))
        case ModelAnswered():
            return _answered(happened, secrets)
        case _:
            return happened


def _answered(happened: ModelAnswered, secrets: KnownSecrets) -> ModelAnswered:
    return replace(
        happened,
        text=secrets.hide(happened.text),
        reflection=secrets.hide(happened.reflection),
        wanted=tuple([_wanted(wish, secrets) for wish in happened.wanted]),
        # It may hold the arguments a second time, in the provider's own form.
        provider=None if happened.provider is None else secrets.hide_in(redacted(happened.provider)),
        output=secrets.hide_in(happened.output),
        aside=_aside(happened.aside, secrets),
    )


def _wanted(wish: Wanted, secrets: KnownSecrets) -> Wanted:
    arguments = secrets.hide_in(wish.arguments)
    if wish.fault is None:
        return wish if arguments == wish.arguments else replace(wish, arguments=arguments)
    return replace(wish, arguments=arguments, fault=_failure(wish.fault, secrets.and_those_in(wish.arguments)))


def _aside(aside: Aside, secrets: KnownSecrets) -> Aside:
    if not aside.entries:
        return aside
    return replace(aside, entries=tuple(secrets.hide_in(entry) for entry in aside.entries))


def _failure(failure: Failure, secrets: KnownSecrets) -> Failure:
    return replace(failure, type=secrets.hide(failure.type), message=secrets.hide(failure.message))


def _json(text: str, secrets: KnownSecrets) -> str:
    return secrets.hide_in_json(redacted_json(text))
