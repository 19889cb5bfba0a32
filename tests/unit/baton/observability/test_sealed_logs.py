"""While payloads are sealed none of their texts is in a log, whoever writes it: each has its place instead."""

import asyncio
import gc
import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable

import pytest

from baton import ToolError
from baton.observability.logs import LOGGERS, guard_logs, seal_output, write_logs
from baton.sdk.records.redaction import KnownSecrets
from baton.server.api.problem import ApiError
from baton.settings.settings import Settings
from baton.store.records.access import AuditEntry
from baton.worker.commands.approve import EditError
from baton_events.app_event import AppEventError
from baton_events.errors import SettingsError

CANARY = "the canary sings"
LIBRARY, say = logging.getLogger("a.library"), print


def raised(error: BaseException) -> None:
    raise error


def caught(then: Callable[[], object]) -> None:
    try:
        raised(ValueError(CANARY))
    except ValueError:
        then()


def in_a_thread() -> None:
    thread = threading.Thread(target=raised, args=(ValueError(CANARY),))
    thread.start()
    thread.join()


def in_a_task() -> None:
    async def forgets() -> None:
        async def fails() -> None:
            raise ValueError(CANARY)

        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        del task

    asyncio.run(forgets())
    gc.collect()


def ends_the_process() -> None:
    error = ValueError(CANARY)
    sys.excepthook(ValueError, error, None)


def ours(value: object) -> Callable[[], None]:
    return lambda: logging.getLogger("baton.store").warning("not kept: %s", value)


ENTRY = AuditEntry(1, "k", "me", "acme", "POST /x", "x", 200, {"body": CANARY})
WRITERS: dict[str, Callable[[], object]] = {
    "print": lambda: say(CANARY),
    "print in parts": lambda: say("it", CANARY, sep="\n"),
    "print to stderr": lambda: say(CANARY, file=sys.stderr),
    "write": lambda: sys.stdout.write(f"{CANARY}\n"),
    "bytes": lambda: sys.stdout.buffer.write(f"{CANARY}\n".encode()),
    "print_exc": lambda: caught(traceback.print_exc),
    "library's argument": lambda: LIBRARY.warning("it is %s", CANARY),
    "library's words": lambda: LIBRARY.warning(f"it is {CANARY}"),
    "library's mapping": lambda: LIBRARY.warning("%(it)s", {"it": CANARY}),
    "library's error": lambda: caught(lambda: LIBRARY.error("it failed", exc_info=sys.exc_info())),
    "root logger": lambda: logging.warning(CANARY),  # noqa: LOG015 - as programs do
    "what a workflow prints": lambda: logging.getLogger("baton.workflows").warning("%s: %s", "job_1", CANARY),
    "server's error": lambda: caught(
        lambda: logging.getLogger("uvicorn.error").error("in %s", "the app", exc_info=sys.exc_info())
    ),
    "thread": in_a_thread,
    "task": in_a_task,
    "end": ends_the_process,
    "our line with an error of others": ours(ValueError(CANARY)),
    "our line with an error of a tool": ours(ToolError(CANARY)),
    "our line with a refusal": ours(ApiError(422, CANARY)),
    "our line with an edit": ours(EditError(CANARY)),
    "our line with an event": ours(AppEventError(CANARY, "data")),
    "our line with a record": ours(ENTRY),
    "our line with a list": ours([CANARY]),
    "our error": lambda: caught(lambda: logging.getLogger("baton.edge").error("it failed", exc_info=sys.exc_info())),
    "our error as a text": lambda: logging.getLogger("baton.edge").error("no", exc_info=ValueError(CANARY)),
}


class Output(io.TextIOWrapper):
    """Standard output and error in one."""

    def taken(self) -> str:
        self.seek(0)
        text = self.read()
        self.seek(0)
        self.truncate()
        return text


def output_of(monkeypatch: pytest.MonkeyPatch) -> Output:
    """Set logs up as in a process that was put together from its environment, and hooks as Python has them.

    Called by the test itself, since pytest gives each of its phases an output of its own.
    """
    made = Output(io.BytesIO(), write_through=True)
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, f"__{name}__"))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, made)
    for name in ("", "uvicorn.error"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [logging.StreamHandler(made)])
    guard_logs(KnownSecrets())
    write_logs(Settings(log_format="text"))
    return made


@pytest.mark.parametrize("name", WRITERS)
def test_a_line_has_its_place_and_no_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = output_of(monkeypatch)
    WRITERS[name]()
    assert CANARY in output.taken()
    guard_logs(KnownSecrets(), sealed=True)
    seal_output()
    WRITERS[name]()
    shown = output.taken()
    assert CANARY not in shown
    assert any(word in shown for word in ("[text] at", "Error", "AuditEntry", "list")), shown


def test_a_print_names_the_line_that_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    output = output_of(monkeypatch)
    seal_output()
    say("one", "two", sep="\n", end="")
    say()
    caught(traceback.print_exc)
    lines = set(output.taken().splitlines())
    assert all(f"[text] at {__file__}:" in line for line in lines), lines


@pytest.mark.parametrize("name", sorted({*LOGGERS} - {"baton.workflows"}))
def test_our_lines_have_our_words_and_ids(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = output_of(monkeypatch)
    guard_logs(KnownSecrets(), sealed=True)
    logging.getLogger(name).error("job %s of %r: %d, %.1f", "job_1", "agent", 3, 0.5)
    assert f"ERROR {name}: job job_1 of 'agent': 3, 0.5" in output.taken()


def test_a_refusal_of_the_start_says_why_whoever_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    output = output_of(monkeypatch)
    guard_logs(KnownSecrets(), sealed=True)
    LIBRARY.error(CANARY, exc_info=SettingsError("agent 'desk': its memory is in clear"))
    shown = output.taken()
    assert ("SettingsError: agent 'desk': its memory is in clear" in shown, CANARY in shown) == (True, False)
