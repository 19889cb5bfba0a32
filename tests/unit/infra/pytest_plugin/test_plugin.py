import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import free_of_processes
from tests.unit.infra.pytest_plugin.strangers_project import StrangersProject


@pytest.fixture
def project(tmp_path: Path) -> StrangersProject:
    """An empty project."""
    return StrangersProject(tmp_path)


def test_a_stranger_uses_all_three_servers_through_the_official_sdks(project: StrangersProject) -> None:
    """Nothing is configured: the environment is set for each test, and only for it."""
    project.write(
        "test_services.py",
        """
        import os
        from http.server import BaseHTTPRequestHandler, HTTPServer
        from threading import Thread

        from qstash import QStash, Receiver
        from upstash_redis import Redis
        from upstash_vector import Index


        def test_redis(redis_server):
            with Redis.from_env() as redis:
                assert redis.set("k", "v")
                assert redis.get("k") == "v"
            assert redis_server.counters()["http_requests"] > 0


        def test_vector(vector_server):
            index = Index.from_env()
            index.upsert([{"id": "a", "data": "a red apple"}, {"id": "b", "data": "a blue plum"}])
            assert [hit.id for hit in index.query(data="apple", top_k=1)] == ["a"]
            index._client.close()


        def test_a_message_is_delivered_and_verified(qstash_server):
            bodies = []

            class Endpoint(BaseHTTPRequestHandler):
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                    keys = os.environ["QSTASH_CURRENT_SIGNING_KEY"], os.environ["QSTASH_NEXT_SIGNING_KEY"]
                    Receiver(*keys).verify(signature=self.headers["Upstash-Signature"], body=body, url=url)
                    bodies.append(body)
                    self.send_response(200)
                    self.end_headers()

                def log_message(self, *arguments):
                    pass

            server = HTTPServer(("127.0.0.1", 0), Endpoint)
            url = f"http://127.0.0.1:{server.server_port}/hook"
            thread = Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            queue = QStash(os.environ["QSTASH_TOKEN"])
            queue.message.publish(url=url, body="hello")
            queue.http._client.close()
            qstash_server.wait_until_idle()
            server.shutdown()
            thread.join()
            server.server_close()
            assert bodies == ["hello"]
            assert qstash_server.counters()["delivered"] == 1


        def test_nothing_is_left_in_the_environment():
            assert not [name for name in os.environ if name.startswith(("QSTASH_", "UPSTASH_"))]
        """,
    )
    done = project.run()
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert free_of_processes(project.folder)


def test_every_test_finds_empty_servers(project: StrangersProject) -> None:
    """Keys, messages, queues, records, rotated keys and faults of a test do not reach the next."""
    project.write(
        "test_isolation.py",
        """
        import pytest
        from qstash import QStash
        from upstash_redis import Redis
        from upstash_vector import Index

        URL = "http://127.0.0.1:9/"


        @pytest.mark.parametrize("turn", [1, 2])
        def test_nothing_is_there_at_first(
            turn, qstash_server, redis_server, vector_server, qstash_faults, redis_faults, vector_faults
        ):
            queue = QStash(qstash_server.token)
            assert queue.log.list().logs == queue.queue.list() == queue.dlq.list().messages == []
            assert queue.signing_key.get().current == qstash_server.current_signing_key
            assert qstash_faults.left() == {"rules": [], "clock_skew_seconds": 0}
            assert qstash_server.counters()["published"] == 0
            queue.queue.upsert("q", paused=True)
            queue.message.enqueue(queue="q", url=URL)
            assert not queue.message.publish(url=URL, retries=0, deduplication_id="same").deduplicated
            queue.schedule.create(destination=URL, cron="* * * * *")
            queue.signing_key.rotate()
            qstash_faults.delay(60, count=9)
            qstash_faults.skew_clock(3_600)
            with Redis.from_env() as redis:
                assert redis.dbsize() == 0
                assert redis.script_exists(redis.script_load("return 1")) == [True]
                redis.set("k", "v")
            redis_faults.refuse(9)
            index = Index.from_env()
            assert (index.info().vector_count, index.list_namespaces()) == (0, [""])
            index.upsert([{"id": "a", "data": "text"}], namespace="ns")
            vector_faults.delay(60)
            index._client.close()
            queue.http._client.close()
        """,
    )
    done = project.run()
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_options_of_the_servers_can_be_chosen(project: StrangersProject) -> None:
    """By overriding a fixture, for the whole run."""
    project.write(
        "test_options.py",
        """
        import pytest
        from qstash import QStash
        from upstash_vector import Index


        @pytest.fixture(scope="session")
        def qstash_options():
            return ["--time-scale", "3600"]


        @pytest.fixture(scope="session")
        def vector_options():
            return ["--dimension", "3", "--embedder", "none"]


        def test_a_message_that_fails_is_given_up_at_once(qstash_server):
            queue = QStash(qstash_server.token)
            queue.message.publish(url="http://127.0.0.1:9/", retries=2)
            qstash_server.wait_until_idle()
            assert len(queue.dlq.list().messages) == 1
            queue.http._client.close()


        def test_the_index_has_this_dimension(vector_server):
            index = Index.from_env()
            assert index.info().dimension == 3
            index._client.close()
        """,
    )
    done = project.run()
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_wrong_options_are_an_error_with_what_the_server_said(project: StrangersProject) -> None:
    """And not a test that waits."""
    project.write(
        "test_options.py",
        """
        import pytest


        @pytest.fixture(scope="session")
        def redis_options():
            return ["--no-such-option"]


        def test_redis(redis_server):
            pass
        """,
    )
    done = project.run()
    assert "1 error" in done.stdout
    assert "unrecognized arguments: --no-such-option" in done.stdout


def test_a_project_that_does_not_use_it_pays_nothing(project: StrangersProject) -> None:
    """No server, and none of the modules that would start or ask one."""
    project.write(
        "test_nothing.py",
        """
        import sys


        def test_nothing(request):
            assert request.config.pluginmanager.hasplugin("baton")
            heavy = {"aiohttp", "click", "httpx", "pydantic", "rich", "uvicorn", "infra.dev", "infra.local_qstash"}
            assert not heavy & set(sys.modules)
        """,
    )
    done = project.run()
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert not (project.folder / "temporary").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_a_killed_test_run_leaves_no_server(project: StrangersProject) -> None:
    """SIGKILL: no chance to tidy up."""
    project.write(
        "test_killed.py",
        """
        def test_killed(qstash_server, redis_server, vector_server):
            print("servers are up", flush=True)
            while True:
                pass
        """,
    )
    with subprocess.Popen(project.command("-s"), cwd=project.folder, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert any("servers are up" in line for line in run.stdout)
        assert not free_of_processes(project.folder)
        run.kill()
    for _ in range(1_000):
        if free_of_processes(project.folder):
            break
    assert free_of_processes(project.folder)
