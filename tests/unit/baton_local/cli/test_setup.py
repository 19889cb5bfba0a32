"""`baton setup` on the local queue: what it does, what it says, and what it says against wrong settings."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from baton_local.cli.place import put_line
from baton_local.dev.stack_error import StackError
from baton_local.fixtures.servers import QStashServer
from tests.contract.objects.s3 import s3

BASE = "http://127.0.0.1:9/base"


def setup(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["setup", *arguments])


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKER_BASE_URL", f"{BASE}/")


def test_a_dry_run_prints_the_difference_and_changes_nothing(qstash_server: QStashServer) -> None:
    planned = setup("--dry-run")
    assert planned.exit_code == 0, planned.output
    assert f"+ topic agent.agent-loop-init → {BASE}/workers/agent-loop" in planned.output
    assert f"+ schedule agent.sweep: 0 * * * * → {BASE}/workers/sweep" in planned.output
    assert "9 changes to make; nothing was changed (--dry-run)." in planned.output
    assert qstash_server.call("GET", "/v2/topics") == []
    done = setup()
    assert "9 changes made." in done.output
    assert len(qstash_server.call("GET", "/v2/topics")) == 4
    assert "Nothing to do" in setup().output


def test_events_of_your_own_get_topics(
    qstash_server: QStashServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the handlers of BATON_APP, which is looked for as elsewhere; a topic that is needed is never left out."""
    (tmp_path / "shop_of_setup.py").write_text(
        "from baton import Registry, on\n\n\n@on('order.created')\nasync def book(event, ctx):\n    pass\n\n\n"
        "registry = Registry(handlers=[book])\n"
    )
    monkeypatch.setenv("BATON_APP", "shop_of_setup:registry")
    assert f"+ topic agent.order-created → {BASE}/workers/events/order.created" in setup().output
    names = [topic["name"] for topic in qstash_server.call("GET", "/v2/topics")]
    assert "agent.order-created" in names
    monkeypatch.setenv("BATON_APP", "no_such_shop:registry")
    monkeypatch.setenv("PUBLISH_BY", "topic")
    refused = setup("--prune")
    assert (refused.exit_code, "no_such_shop" in refused.output) == (1, True)


def test_what_prune_would_take_is_reported_and_taken_only_by_it(qstash_server: QStashServer) -> None:
    setup()
    path = "/v2/topics/agent.agent-tool-call/endpoints"
    qstash_server.call("POST", path, {"endpoints": [{"url": "http://127.0.0.1:9/other"}]})
    line = "- topic agent.agent-tool-call: endpoint without a name → http://127.0.0.1:9/other"
    found = setup()
    assert "--prune takes it away" in found.output
    assert line in found.output
    assert f"{line}\n1 change to make" in setup("--prune", "--dry-run").output
    assert f"{line}\n1 change made" in setup("--prune").output
    assert "--prune" not in setup().output


def test_what_is_missing_or_wrong_is_named(qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*arguments: str) -> str:
        done = setup(*arguments)
        assert done.exit_code == 1
        return done.output

    monkeypatch.setenv("QSTASH_TOKEN", "wrong-token")
    shown = failed()
    assert f"the queue at {qstash_server.url} refused the token: check QSTASH_TOKEN" in shown
    assert "wrong-token" not in shown
    monkeypatch.setenv("QSTASH_URL", "http://127.0.0.1:9")
    assert "no answer from the queue at http://127.0.0.1:9" in failed()
    assert "start `baton dev --data nowhere`" in failed("--data", "nowhere")
    for name in ("QSTASH_TOKEN", "WORKER_BASE_URL"):
        monkeypatch.delenv(name)
    for text in ("QSTASH_TOKEN is not set", "WORKER_BASE_URL is not set", "looked at: the environment"):
        assert text in failed()


def test_this_machine_is_not_registered_with_the_hosted_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be topics that lead nowhere."""
    monkeypatch.setenv("QSTASH_TOKEN", "token")
    monkeypatch.setenv("QSTASH_URL", "https://qstash.upstash.io")
    failed = setup()
    assert (failed.exit_code, "run `baton tunnel`" in failed.output) == (1, True)


def test_settings_come_from_a_file_too(qstash_server: QStashServer, tmp_path: Path) -> None:
    """What the environment has wins, as with `uvicorn --env-file`."""
    (tmp_path / ".env").write_text("QSTASH_TOPIC_PREFIX=prod-agent\nWORKER_BASE_URL=http://127.0.0.1:9/file\n")
    done = setup("--env-file", ".env", "--dry-run")
    assert f"+ topic prod-agent.agent-loop-init → {BASE}/workers/agent-loop" in done.output
    assert qstash_server.url in done.output
    assert ".env and the environment" in done.output
    (tmp_path / "marked.env").write_text("QSTASH_TOPIC_PREFIX=marked\n", encoding="utf-8-sig")
    assert "+ topic marked.agent-loop-init" in setup("--env-file", "marked.env", "--dry-run").output
    assert put_line(tmp_path / "marked.env", "QSTASH_TOPIC_PREFIX", "x") == "marked"
    assert (tmp_path / "marked.env").read_bytes() == b"\xef\xbb\xbfQSTASH_TOPIC_PREFIX=x\n"
    assert "there is no file other.env" in setup("--env-file", "other.env").output
    for encoding in ("utf-16", "latin-1"):
        (tmp_path / "odd.env").write_text("TENANT=Jos\u00e9", encoding=encoding)
        done = setup("--env-file", "odd.env")
        assert (done.exit_code, "odd.env is not UTF-8" in done.output) == (1, True)
    with pytest.raises(StackError, match="is not UTF-8"):
        put_line(tmp_path / "odd.env", "TENANT", "x")


def test_a_schedule_that_the_queue_refuses_is_named(qstash_server: QStashServer, tmp_path: Path) -> None:
    text = "from baton import Agent, Registry, Schedule\na = Agent('a', model='demo')\n"
    text += "registry = Registry([a], schedules=[Schedule('late', '60 * * * *', agent=a)])\n"
    (tmp_path / "odd_times.py").write_text(text)
    (tmp_path / ".env").write_text("BATON_APP=odd_times:registry\n")
    done = setup("--env-file", ".env")
    assert done.exit_code == 1
    assert "schedule sch_agent.late ('CRON_TZ=UTC 60 * * * *'): the queue" in done.output


def test_an_object_store_is_made_tried_and_left_empty(
    qstash_server: QStashServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del qstash_server
    assert "objects none: payloads stay in the store; OBJECT_STORE_URL=s3://BUCKET/PREFIX" in setup().output
    folder = tmp_path / "large" / "objects"
    monkeypatch.setenv("OBJECT_STORE_URL", f"file://{folder}")
    assert (f"objects file://{folder}  (tried" in setup("--dry-run").output, folder.exists()) == (True, False)
    done = setup()
    assert f"objects file://{folder} takes, gives and deletes objects" in done.output
    assert (folder.is_dir(), [path for path in folder.rglob("*") if path.is_file()]) == (True, [])


def test_a_bucket_that_is_not_there_is_refused_with_what_it_needs(
    qstash_server: QStashServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del qstash_server
    with s3() as (url, bucket):
        options = {"endpoint": url, "region": "eu-central-1", "access_key_id": "k", "secret_access_key": "s3cret"}
        monkeypatch.setenv("OBJECT_STORE_URL", "s3://bucket/baton")
        monkeypatch.setenv("OBJECT_STORE_OPTIONS", json.dumps(options | {"allow_http": True}))
        assert "objects s3://bucket/baton takes, gives and deletes objects" in setup().output
        monkeypatch.setenv("OBJECT_STORE_URL", "s3://missing/baton")
        refused = setup()
    assert (refused.exit_code, bucket.objects) == (1, {})
    assert (
        "create the bucket missing, and let the deployment's role read, write, list and delete there" in refused.output
    )
    assert ("s3cret" in refused.output, "Traceback" in refused.output) == (False, False)
