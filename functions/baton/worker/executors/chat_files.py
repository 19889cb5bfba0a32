"""Files of chats: tasks, results and the session's exchanges name them, and each piece of work reads their contents.

Invariant: records name files, and never have their contents. A task's own file that is not kept any more fails its
turn; another one is left out, as are those that are too large together. Must not: know how a model uses them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunTool, Work
from baton.engine.state import Job
from baton.engine.step_results import StepResult
from baton.sdk.records.transcript import SESSION_ROLE, named_files
from baton.store.redis.agent_memory import Chats
from baton.worker.executors.executor import Executing
from baton.worker.executors.history import kinds_of

_NAMING = frozenset({"files", SESSION_ROLE})
_Returned = tuple[tuple[str, list[dict[str, Any]]], ...]


class FileGoneError(Exception):
    """A file of the job's task is not kept any more."""


class ChatFiles:
    """Reads files of chats. `limit_bytes`: of all that a piece of work is given."""

    def __init__(self, chats: Chats, limit_bytes: int) -> None:
        self._chats, self._limit_bytes = chats, limit_bytes

    async def filled(
        self, job: Job, history: History, takes: Callable[[str], bool] | None = None, *, results: bool = False
    ) -> History:
        """Return the history with the contents of its files, as `data` beside their names.

        `job`: the history's. `history`: the records. `takes`: whether the model that they are for takes a media type;
        None: they are for a tool. Of the session's earlier files, it is told the others by name. `results`: whether
        results also have theirs; those of the newest calls come first.

        Raises FileGoneError: one of the task's own is for the model, and gone. StoreError.
        """
        returned = _returned(history, takes) if takes and results else {}
        names_some = not _NAMING.isdisjoint(kinds_of(history))
        if not names_some and not returned:
            return history
        own = named_files(history.transcript) if names_some else ()
        if takes and own:
            history = with_refused(history, takes)
            own = named_files(history.transcript)
        named = [*own, *[file for files in returned.values() for file in files]]
        if not named:
            return history
        texts = await read_files(self._chats, job, named, self._limit_bytes)
        read = {name: text.partition(",")[2] for name, text in texts.items()}
        task_files = history.transcript[0].get("files", ())
        gone = [file for file in task_files if takes and file.get("name", "") not in ("", *read)]
        if gone:
            raise FileGoneError(f"file {gone[0].get('filename', '')!r} is not kept any more: send the message again")
        with_files = {
            call_id: _filled({**history.results[call_id], "files": files}, read) for call_id, files in returned.items()
        }
        transcript = tuple([_filled(entry, read) for entry in history.transcript])
        return replace(history, transcript=transcript, results={**history.results, **with_files}, memo={})


async def read_files(chats: Chats, job: Job, named: Sequence[Mapping[str, Any]], limit_bytes: int) -> dict[str, str]:
    """Read files of a job's session, by name, in this order and as far as they are within the limit, each once."""
    read, left_bytes = dict[str, str](), limit_bytes
    for name, size_bytes in {file.get("name", ""): file.get("bytes", 0) for file in named}.items():
        left_bytes -= size_bytes
        if name and left_bytes >= 0:
            text = await chats.read_file(job.tenant, job.session_id, name)
            read |= {} if text is None else {name: text}
    return read


def _returned(history: History, takes: Callable[[str], bool]) -> dict[str, list[dict[str, Any]]]:
    """Return the files that calls have returned, by the calls' ids, the newest first."""
    nothing: _Returned = ()
    returned = history.of_results("returned", nothing, _and_returned)
    if not returned:
        return {}
    found = {call_id: [file for file in files if takes(file["mediaType"])] for call_id, files in returned[::-1]}
    return {call_id: files for call_id, files in found.items() if files}


def _and_returned(known: _Returned, results: Sequence[tuple[str, Mapping[str, Any]]]) -> _Returned:
    from baton.sdk.records.result_files import files_in_result  # noqa: PLC0415 - few models take files
    from baton.worker.conversation.sent_files import sent_files  # noqa: PLC0415 - likewise

    of_files = [(call_id, each) for call_id, each in results if files_in_result(each.get("ok"))]
    return (*known, *[(call_id, files) for call_id, each in of_files if (files := sent_files(each))])


def with_refused(history: History, takes: Callable[[str], bool]) -> History:
    """Return the history whose earlier files of other types count as refused: a model is told their names alone."""
    return replace(history, transcript=tuple([_taken(entry, takes) for entry in history.transcript]))


def _taken(entry: dict[str, Any], takes: Callable[[str], bool]) -> dict[str, Any]:
    """Return a session's entry whose files of other types count as refused; another one as it is."""
    if entry["role"] != SESSION_ROLE:
        return entry
    return {**entry, "exchanges": [_taken_of(one, takes) for one in entry["exchanges"]]}


def _taken_of(exchange: dict[str, Any], takes: Callable[[str], bool]) -> dict[str, Any]:
    files = [one if takes(one["mediaType"]) else {**one, "refused": True} for one in exchange.get("files", ())]
    return {**exchange, "files": files} if files else exchange


def _filled(entry: Mapping[str, Any], read: Mapping[str, str]) -> dict[str, Any]:
    if "files" in entry:
        files = [file | ({"data": read[file["name"]]} if file.get("name") in read else {}) for file in entry["files"]]
        return {**entry, "files": files}
    if "exchanges" in entry:
        return {**entry, "exchanges": [_filled(one, read) for one in entry["exchanges"]]}
    return dict(entry)


class ToolsWithFiles:
    """Performs RunTool: `run`, whose agent may read the files of its conversation."""

    def __init__(self, run: Executing, files: ChatFiles) -> None:
        self._run, self._files = run, files

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Read the files, if there are any, and run the tool."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        return await self._run(effect, await self._files.filled(effect.job, history), claim)
