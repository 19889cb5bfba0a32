"""Files of a stranger's project: they know the fixtures' names and the official SDKs, nothing else."""

SERVICES = """\
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
"""

ISOLATION = """\
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
"""
