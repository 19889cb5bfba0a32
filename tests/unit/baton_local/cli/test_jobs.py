"""`baton jobs` against an API that a test answers for."""

import io
import json
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
import respx
from click.testing import CliRunner
from rich.console import Console

from baton.client import requests
from baton_local.cli import jobs
from baton_local.cli.main import main
from tests.unit.baton_local.cli.api import JOB, URL, baton, problem, sent

JOBS = f"{URL}/api/agent-jobs"
STREAM = {"content-type": "text/event-stream"}


def test_a_submission_sends_what_was_given_and_nothing_else(api: respx.MockRouter, tmp_path: Path) -> None:
    """Words are one task; inputData comes from a file, too; the id is all that is printed."""
    file = tmp_path / "input.json"
    file.write_text('{"a": 1}', encoding="utf-8")
    route = api.post(JOBS).respond(202, json=JOB)
    done = baton("jobs", "submit", "research", "look", "it", "up", "--input", f"@{file}", "--idempotency-key", "k1")
    assert (done.exit_code, done.output) == (0, "job_1\n")
    assert sent(route.calls[0]) == {"jobType": "research", "taskDescription": "look it up", "inputData": {"a": 1}}
    assert route.calls[0].request.headers["idempotency-key"] == "k1"
    assert baton("jobs", "submit", "order").exit_code == 0  # an agent with a plan needs no task
    assert sent(route.calls[1]) == {"jobType": "order"}


FILE_OPTIONS = {
    "submit --input": ("jobs", "submit", "a", "x"),
    "fork --edits": ("fork", "job_0", "--turn", "2"),
    "approve --arguments": ("checkpoints", "approve", "c1"),
}


def file_options() -> set[str]:
    """Every option of every command that takes `@FILE`."""
    commands, found, context = list[click.Command]([main]), set[str](), click.Context(main)
    while commands:
        command = commands.pop()
        if isinstance(command, click.Group):
            below = (command.get_command(context, name) for name in command.list_commands(context))
            commands += [each for each in below if each is not None]
        takes = (each for each in command.params if "@FILE" in str(each.metavar))
        found |= {f"{command.name} {each.opts[0]}" for each in takes}
    return found


def test_the_options_that_take_a_file_are_known() -> None:
    assert file_options() == set(FILE_OPTIONS)


@pytest.mark.parametrize("option", FILE_OPTIONS)
def test_a_file_is_read_as_the_api_reads_a_body(api: respx.MockRouter, tmp_path: Path, option: str) -> None:
    """UTF-8, with its mark or without; another encoding, which PowerShell writes, is named."""
    route = api.post(url__startswith=URL).respond(202, json=JOB)
    file, text, last = tmp_path / "in.json", '{"model": "d\u00e9mo"}', option.partition(" ")[2]
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(text, encoding=encoding)
        for given in (f"@{file}", file.read_text(encoding="utf-8")):
            done = baton(*FILE_OPTIONS[option], last, given)
            assert (done.exit_code, done.output[:5]) == (0, "job_1"), (encoding, done.output)
            assert {"model": "d\u00e9mo"} in sent(route.calls.last).values()
    for encoding, why in (
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "none of UTF-8"),
    ):
        file.write_text(text, encoding=encoding)
        done = baton(*FILE_OPTIONS[option], last, f"@{file}")
        assert (done.exit_code, why in done.output) == (2, True), done.output


def test_a_stack_whose_code_is_broken_says_so_at_once(tmp_path: Path) -> None:
    """Nothing is sent: the app's port takes callers and answers once it runs again."""
    fault = "importing 'mine' (wanted by 'mine:registry') raised SyntaxError: invalid syntax (mine.py, line 2)"
    described = {"app_url": "http://127.0.0.1:9", "admin_key": "bk", "fault": fault}
    (tmp_path / "dev.json").write_text(json.dumps(described), encoding="utf-8")
    for command in (("jobs", "submit", "a", "Go."), ("jobs", "list"), ("checkpoints", "list")):
        done = CliRunner().invoke(main, [*command, "--data", str(tmp_path)])
        shown = " ".join(done.output.split())
        assert (done.exit_code, fault in shown, "mend it" in shown) == (1, True, True)


@pytest.mark.parametrize(
    ("value", "why"), [("{", "is not JSON"), ("[1]", "not a JSON object"), ("@nowhere", "cannot be read")]
)
def test_wrong_input_is_wrong_use(value: str, why: str) -> None:
    done = baton("jobs", "submit", "research", "x", "--input", value)
    assert done.exit_code == 2
    assert why in done.output


def test_a_list_goes_on_after_its_first_page(api: respx.MockRouter) -> None:
    pages = [httpx.Response(200, json={"jobs": [JOB], "cursor": "c1"}), httpx.Response(200, json={"jobs": [JOB]})]
    route = api.get(JOBS).mock(side_effect=pages)
    done = baton("jobs", "list", "--status", "completed", "--limit", "5", "--json")
    assert [job["id"] for job in json.loads(done.output)] == ["job_1", "job_1"]
    assert dict(route.calls[1].request.url.params) == {"status": "completed", "limit": "4", "cursor": "c1"}


def test_a_list_shows_whole_ids_and_statuses(api: respx.MockRouter) -> None:
    long = {"id": "job_56vpqvaq94efm0s6lso1tpcr", "jobType": "invoices-of-the-north", "taskDescription": "Why? " * 40}
    route = api.get(JOBS).respond(json={"jobs": [{**JOB, **long}]})
    shown = baton("jobs", "list").output
    assert "job_56vpqvaq94efm0s6lso1tpcr" in shown
    assert JOB["status"] in shown
    route.respond(json={"jobs": []})
    assert baton("jobs", "list").output == "no such jobs\n"
    assert json.loads(baton("jobs", "list", "--json").output) == []


def test_a_job_is_shown_with_its_calls_its_answer_and_what_each_step_has_used(api: respx.MockRouter) -> None:
    """The newest steps, and what came beside them; a deployment of an older version tells none."""
    row = {"usage": JOB["usage"] | {"redisCommands": 77}, "cost": JOB["cost"]}
    steps = [{"turn": turn, "callId": None, "tool": "search" if turn == 50 else None, **row} for turn in range(1, 51)]
    route = api.get(f"{JOBS}/job_1").respond(json={**JOB, "steps": steps, "besideSteps": row})
    shown = baton("jobs", "show", "job_1").output
    assert dict(route.calls[0].request.url.params) == {"steps": "true"}
    for text in ("50: search", "11: turn", "outside steps", "10 older ones are left out"):
        assert text in shown
    assert "10: turn" not in shown
    assert shown.count(" 77 ") == 41
    assert max(map(len, shown.partition("search ")[0].splitlines())) <= 80
    printed = [{"attempt": 1, "text": "begins\x1b[31m\nends"}, {"attempt": 2, "text": "[bold]again[/]\n"}]
    route.respond(json={**JOB, "toolCalls": [{**JOB["toolCalls"][0], "printed": printed}]})
    older = baton("jobs", "show", "job_1").output
    for text in ("completed", "look it up", "8 messages", "search", '{"hits": 3}', "42"):
        assert text in older
    assert "    | begins [31m\n    | ends\n    | [bold]again[/]\n" in older


@pytest.mark.parametrize(("command", "answer"), [(("show", "job_1"), JOB), (("list",), {"jobs": [JOB, JOB]})])
def test_what_is_shown_is_written_in_one_piece(
    api: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], answer: dict[str, Any]
) -> None:
    """`baton jobs show JOB | grep -q TEXT` succeeds under pipefail: no write comes after the one that was matched."""
    api.get(url__startswith=JOBS).respond(200, json=answer)
    writes: list[str] = []

    class Counted(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    monkeypatch.setattr(jobs, "Console", lambda: Console(file=Counted()))
    assert baton("jobs", *command).exit_code == 0
    assert len(writes) == 1, writes


def test_watching_goes_on_where_the_connection_ended(api: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is shown once; the exit code says whether the job completed."""
    monkeypatch.setattr(requests, "_COME_BACK_SECONDS", 0.0)
    first = 'id: 1-1\ndata: {"type":"start"}\n\n'
    second = 'id: 1-2\ndata: {"type":"finish"}\n\ndata: [DONE]\n\n'
    answers: list[httpx.Response | Exception] = [
        httpx.Response(200, text=first, headers=STREAM),
        httpx.ConnectError("gone"),
        httpx.Response(200, text=second, headers=STREAM),
    ]
    route = api.get(f"{JOBS}/job_1/stream").mock(side_effect=answers)
    api.get(f"{JOBS}/job_1").respond(json=JOB)
    done = baton("jobs", "show", "job_1", "--watch", "--json")
    assert [json.loads(line)["type"] for line in done.output.splitlines()] == ["start", "finish"]
    assert route.calls[-1].request.headers["last-event-id"] == "1-1"
    assert done.exit_code == 0


def test_an_ended_job_is_watched_at_the_times_at_which_things_happened(api: respx.MockRouter) -> None:
    data = {"type": "agent.loop.init", "durationMs": 500, "attempt": 1, "turn": 1, "outcome": "answers"}
    parts = [{"type": "data-event", "data": {**data, "at": at}} for at in (1_000_500, 1_004_000)]
    stream = "".join(f"data: {json.dumps(part)}\n\n" for part in parts)
    api.get(f"{JOBS}/job_1/stream").respond(text=f"{stream}data: [DONE]\n\n", headers=STREAM)
    api.get(f"{JOBS}/job_1").respond(json=JOB)
    shown = baton("jobs", "show", "job_1", "--watch").output.splitlines()
    assert [line.split()[0] for line in shown[:2]] == ["0.50s", "4.00s"]
    failed = {**JOB, "status": "failed", "result": None, "error": {"type": "x", "message": "no way on"}}
    api.get(f"{JOBS}/job_1").respond(json=failed)
    done = baton("jobs", "show", "job_1", "--watch")
    assert (done.exit_code, "failed: no way on" in done.output) == (1, True)


def test_cancel_and_retry_say_what_became_of_each_job(api: respx.MockRouter) -> None:
    route = api.patch(f"{JOBS}/job_1").respond(json={**JOB, "status": "pending"})
    assert baton("jobs", "retry", "job_1", "--from", "start").output == "job_1  pending\n"
    assert sent(route.calls[0]) == {"action": "retry", "from": "start"}
    api.patch(f"{JOBS}/job_2").mock(return_value=problem(409, "job 'job_2' is completed"))
    done = baton("jobs", "cancel", "job_2")
    assert (done.exit_code, "answered 409: job 'job_2' is completed" in done.output) == (1, True)


def test_a_refused_field_is_named_and_the_key_is_not(api: respx.MockRouter) -> None:
    refusal = problem(422, "wrong body", errors=[{"field": "jobType", "message": "unknown agent 'x'"}])
    api.post(JOBS).mock(return_value=refusal)
    done = baton("jobs", "submit", "x", "y")
    assert "answered 422: jobType: unknown agent 'x'" in done.output
    assert "bk_secret" not in done.output


def test_an_address_that_is_no_api_is_reported(api: respx.MockRouter) -> None:
    api.get(JOBS).mock(side_effect=[httpx.Response(200, text="<html>"), httpx.ConnectError("refused")])
    assert "is this its address?" in baton("jobs", "list").output
    assert "no answer from https://fn.example.com/api/agent-jobs: refused" in baton("jobs", "list").output
