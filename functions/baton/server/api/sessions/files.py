"""Files in chats: AI SDK's file parts, checked, kept with their session, and served to callers who may see it.

A part's `url` is a data URL, a public https URL, or one of ours, of a file that the session has. Invariant: a job names
its files, and no message of the queue has a content. A file is served so that no browser runs its content. Must not:
fetch anything.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response

from baton.engine.state import Job
from baton.sdk.records.result_files import BEGINNINGS, MEDIA_TYPE, named_content
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, Code
from baton.server.api.sessions.sessions import session_of
from baton.server.api.stream_token import must_cover
from baton.settings.limits import FILES
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.container import Container
from baton.worker.runtime.callbacks import address_fault
from baton_events.setting import is_loopback

_OURS = re.compile(r"/api/sessions/(.+)/files/([0-9a-f]{64})")
# A task's entry for a file: `mediaType`, `filename`?, and `url`, or `name` (of its content) and `bytes`.
Named = dict[str, Any]


class FilePart(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    type: Literal["file"]
    media_type: Annotated[str, Field(pattern=f"^{MEDIA_TYPE}$")]
    filename: Annotated[str, Field(max_length=255)] = ""
    url: str


class ChatFiles:
    def __init__(self, container: Container) -> None:
        self._container = container
        self._chats, self._settings = container.ports.chats, container.settings

    async def read(self, tenant: str, session_id: str, parts: Sequence[tuple[str, Any]]) -> list[tuple[Named, str]]:
        """Read the files of these parts, each with its field; return each file's entry in the task, and its content.

        Raises:
            ApiError: 413 too large together, or too many, 415 a type that is not taken, 422 no such file. StoreError.
        """
        if len(parts) > FILES:
            raise ApiError(413, f"a message has at most {FILES} files, and this one has {len(parts)}")
        read, left_bytes = list[tuple[Named, str]](), self._settings.files_limit_bytes
        for field, part in parts:
            read.append(await self._read(tenant, session_id, field, part))
            left_bytes -= read[-1][0].get("bytes", 0)
            if left_bytes < 0:
                limit = self._settings.files_limit_bytes
                raise ApiError(413, f"the files of a message have more than {limit} bytes together")
        return read

    def attached(self, job: Job, read: Sequence[tuple[Named, str]]) -> KeptFiles:
        """Return the contents of files, to be stored with the session of a job once it may be."""
        texts = {file["name"]: f"{file['mediaType']},{content}" for file, content in read if content}
        return KeptFiles(self._chats, self._container.commands.quota, job, texts)

    async def _read(self, tenant: str, session_id: str, field: str, part: Any) -> tuple[Named, str]:
        try:
            read = FilePart.model_validate(part)
        except ValidationError as error:
            faults = [(f"{field}.{fault['loc'][0]}", fault["msg"]) for fault in error.errors()]
            raise ApiError(422, f"the file is not valid: {faults[0][1]}", faults) from error
        media_type = read.media_type.lower()
        if not any(fnmatchcase(media_type, one.strip()) for one in self._settings.file_types.split(",")):
            types = self._settings.file_types
            raise ApiError(415, f"{field}: a file of type {media_type!r} is not taken here; FILE_TYPES has {types}")
        file: Named = {"mediaType": media_type} | ({"filename": read.filename} if read.filename else {})
        if read.url[:5].lower() == "data:":
            data = _data_of(read.url, media_type, field)
            named, content = named_content(data)
            return file | named, content
        if ours := _OURS.fullmatch(urlsplit(read.url).path):
            kept = await self._chats.read_file(tenant, session_id, ours[2]) if unquote(ours[1]) == session_id else None
            if kept is None:
                raise _refused(field, "the session has no such file (any more): send it again")
            content = kept.partition(",")[2]
            return file | {"name": ours[2], "bytes": len(content) * 3 // 4 - content.count("=")}, ""
        if not read.url.lower().startswith("https://") or is_loopback(read.url) or address_fault(read.url):
            raise _refused(field, f"{read.url[:40]!r} is neither a data URL nor a public https URL")
        return file | {"url": read.url}, ""


def _data_of(url: str, media_type: str, field: str) -> bytes:
    head, comma, body = url.partition(",")
    declared, *parameters = head[5:].lower().split(";")
    if not comma:
        raise _refused(field, "the data URL is broken: it has no comma before its content")
    try:
        whole = body + "=" * (-len(body) % 4)
        data = base64.b64decode(whole, validate=True) if "base64" in parameters else unquote_to_bytes(body)
    except (binascii.Error, ValueError) as error:
        raise _refused(field, "the data URL is broken: its content is not Base64") from error
    if not data:
        raise _refused(field, "the file is empty")
    begins_as = next((kind for kind, beginning in BEGINNINGS.items() if data.startswith(beginning)), media_type)
    for other in (declared or media_type, begins_as):
        if other != media_type:
            raise ApiError(415, f"{field}: mediaType is {media_type!r}, and the data is {other!r}")
    return data


def _refused(field: str, detail: str) -> ApiError:
    return ApiError(422, f"{field}: {detail}", [(f"{field}.url", detail)])


async def show_file(context: Context, request: Request) -> Response:
    """Answer `GET /api/sessions/{id}/files/{name}` with 200 and the file, to be saved or shown as an image."""
    tenant, session_id = session_of(request, await context.keys.authenticate(request))
    must_cover(request, tenant, "", session_id)
    kept = await context.container.ports.chats.read_file(tenant, session_id, request.path_params["name"])
    if kept is None:
        raise ApiError(404, f"session {session_id!r} has no such file (any more)", code=Code.NOT_FOUND)
    media_type, _, content = kept.partition(",")
    headers = {"content-disposition": "attachment", "content-type": media_type}
    return Response(base64.urlsafe_b64decode(content), headers=headers)
