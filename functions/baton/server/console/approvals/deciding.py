"""The forms by which a person decides: their input is a draft until it is confirmed.

Arguments are edited field by field, or as JSON. An edit is shown beside the original arguments, and confirmed, before
it counts. Invariant: a fault loses no input, and a person confirms exactly what was shown.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from baton.server.api.jobs.approvals import ApprovalBody, Checkpoint, RejectionBody, edited_as_recorded
from baton.server.api.problem import ApiError, parsed_query
from baton.server.console.approvals.about import About
from baton.server.console.approvals.schema_form import ROOT, Field, FormError, arguments_from, fields_of, shown_with
from baton.server.console.form import Form, read_object
from baton.server.console.form import field as text_of
from baton.server.console.shown import pretty
from baton.worker.container import Container

Mode = Literal["form", "raw", "confirm"]
Approve = Callable[[str, ApprovalBody], Awaitable[Checkpoint]]
Reject = Callable[[str, RejectionBody], Awaitable[Checkpoint]]


@dataclass(frozen=True)
class Change:
    """One value that differs."""

    path: str
    what: Literal["changed", "added", "removed"]
    old: Any = None
    new: Any = None


@dataclass(frozen=True)
class Draft:
    """The content of an approval's forms.

    `raw`: the arguments as JSON. edits: their changes. `faults`: by field; a fault of no field of the page has an
    empty name. `status`: of the answer; 0: nothing was wrong.
    """

    mode: Mode
    fields: tuple[Field, ...]
    raw: str
    comment: str = ""
    reason: str = ""
    edits: Sequence[Change] = ()
    faults: dict[str, str] = field(default_factory=dict[str, str])
    status: int = 0


def draft_of(about: About) -> Draft:
    return _with(about, about.asked, "form")


def _with(about: About, arguments: dict[str, Any], mode: Mode, comment: str = "") -> Draft:
    fields = fields_of(about.schema, about.asked) if about.schema is not None else ()
    if mode == "form" and arguments != about.asked:
        fields = _typed_over(fields, fields_of(about.schema or {}, arguments))
    draft = Draft(mode if fields or mode == "confirm" else "raw", fields, pretty(arguments), comment)
    return replace(draft, edits=tuple(changes(about.asked, arguments)))


def _typed_over(fields: tuple[Field, ...], edited: tuple[Field, ...]) -> tuple[Field, ...]:
    """Put edited values into the original fields; () where the edit has other fields."""
    form = {one.name: [one.shown] for one in _all(edited)}
    alike = {(one.name, one.kind) for one in _all(fields)} == {(one.name, one.kind) for one in _all(edited)}
    return shown_with(fields, form) if alike else ()


def _all(fields: tuple[Field, ...]) -> list[Field]:
    return [part for one in fields for part in (one, *_all(one.parts))]


async def approved(container: Container, about: About, form: Form, approve: Approve) -> Draft | None:
    """Approve; return a draft where a confirmation is missing, or an input is faulty.

    Raises ApiError: it cannot be decided, whatever is typed.
    """
    comment, step = text_of(form, "comment"), text_of(form, "step")
    try:
        arguments = _arguments(about, form)
        if step in ("raw", "form"):
            return _with(about, arguments, "raw" if step == "raw" else "form", comment=comment)
        # As JSON, where `1` and `true` differ, and NaN is refused later on.
        given, asked = (json.dumps(value, sort_keys=True) for value in (arguments, about.asked))
        edited = None if given == asked else arguments
        answer = {"arguments": edited, "comment": comment, "digest": text_of(form, "digest")}
        body = parsed_query(ApprovalBody, answer, "form")
        if edited is not None and step != "confirm" and not about.is_question:
            kept = await edited_as_recorded(container, about.approval["id"], body.digest, edited)
            return _with(about, kept, "confirm", comment=comment)
        await approve(about.approval["id"], body)
    except (ApiError, FormError) as error:
        return _refused(about, form, error)
    return None


async def rejected(about: About, form: Form, reject: Reject) -> Draft | None:
    """Reject; return a draft where the reason is too long. Raises ApiError: it cannot be decided, whatever is typed."""
    try:
        given = {"reason": text_of(form, "reason"), "digest": text_of(form, "digest")}
        body = parsed_query(RejectionBody, given, "form")
        await reject(about.approval["id"], body)
    except ApiError as error:
        return _refused(about, form, error)
    return None


def _arguments(about: About, form: Form) -> dict[str, Any]:
    """Read the arguments from a form that has them as JSON, in fields, or not at all.

    Raises ApiError: 422, no JSON object. FormError: a field is wrong.
    """
    if ROOT in form:
        if not text_of(form, ROOT):
            raise ApiError(422, "arguments: empty", [(ROOT, "it is empty: write a JSON object, {} for none")])
        return read_object(text_of(form, ROOT), ROOT)
    if about.schema is None or not any(name.startswith(f"{ROOT}.") for name in form):
        return about.asked
    return arguments_from(fields_of(about.schema, about.asked), form)


def _refused(about: About, form: Form, error: ApiError | FormError) -> Draft:
    """Return the forms as they were sent, with the fault at each field; raise a refusal that concerns no field."""
    if isinstance(error, FormError):
        faults, status = list(error.faults.items()), 422
    else:
        if not error.faults:
            raise error
        faults, status = list(error.faults), error.status
    draft = draft_of(about)
    if ROOT in form:
        draft = replace(draft, mode="raw", raw=text_of(form, ROOT))
    draft = replace(draft, fields=shown_with(draft.fields, form))
    draft = replace(draft, comment=text_of(form, "comment"), reason=text_of(form, "reason"), status=status)
    return replace(draft, faults=_placed(draft, faults))


def _placed(draft: Draft, faults: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Assign each fault to its field, or to the field around it."""
    known = {"comment", "reason", *((ROOT,) if draft.mode == "raw" else (one.name for one in _all(draft.fields)))}
    placed = dict[str, str]()
    for name, message in faults:
        place, inner = name, ""
        while place and place not in known:
            place, _, last = place.rpartition(".")
            inner = f"{last}.{inner}" if inner else last
        text = f"{inner}: {message}" if inner else message
        placed[place] = f"{placed[place]}; {text}" if place in placed else text
    return placed


def changes(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Find the values that differ; objects are compared part by part, lists as a whole."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new or type(old) is not type(new):
            yield Change(path, "changed", old, new)
        return
    for name in [*old, *(name for name in new if name not in old)]:
        inner = f"{path}.{name}" if path else str(name)
        if name not in new:
            yield Change(inner, "removed", old=old[name])
        elif name not in old:
            yield Change(inner, "added", new=new[name])
        else:
            yield from changes(old[name], new[name], inner)
