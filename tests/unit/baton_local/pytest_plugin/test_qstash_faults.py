from collections.abc import Iterator

import jwt
import pytest
from qstash import Receiver
from qstash.errors import SignatureError

from baton_local.fixtures.servers import QStashFaults, QStashServer
from tests.contract.qstash.destination import Destination

OTHER = "http://127.0.0.1:9/other"


@pytest.fixture
def endpoint() -> Iterator[Destination]:
    with Destination() as running:
        yield running


@pytest.fixture
def url(endpoint: Destination) -> str:
    return endpoint.url("/hook")


def publish(server: QStashServer, url: str, body: str = "x") -> str:
    answer = server.call("POST", f"/v2/publish/{url}?upstash-retries=2&upstash-retry-delay=10", body)
    return str(answer["messageId"])


def test_each_fault_is_planned_as_it_was_asked_for_until_it_is_called_off(qstash_faults: QStashFaults) -> None:
    """What each does: tests/unit/baton_local/qstash/test_faults.py."""
    rule = {"url": OTHER, "count": 1, "seconds": 0.0, "status": 0}
    qstash_faults.drop_answer(url=OTHER)
    qstash_faults.duplicate(2, url=OTHER)
    qstash_faults.answer(503, count=3, url=OTHER)
    qstash_faults.reorder(4, url=OTHER, within_seconds=30)
    qstash_faults.delay(0.5, url=OTHER)
    qstash_faults.skew_clock(60)
    assert qstash_faults.left() == {
        "rules": [
            {**rule, "fault": "drop_answer"},
            {**rule, "fault": "duplicate", "count": 2},
            {**rule, "fault": "answer", "count": 3, "status": 503},
            {**rule, "fault": "reorder", "count": 4, "seconds": 30},
            {**rule, "fault": "delay", "seconds": 0.5},
        ],
        "clock_skew_seconds": 60,
    }
    qstash_faults.clear()
    assert qstash_faults.left() == {"rules": [], "clock_skew_seconds": 0}


def test_a_lost_answer_is_delivered_again(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    """As a retry of the same message; a rule for another URL waits."""
    qstash_faults.answer(500, count=9, url=OTHER)
    qstash_faults.drop_answer(url=url)
    message_id = publish(qstash_server, url)
    qstash_server.wait_until_idle()
    requests = endpoint.at("/hook")
    assert [request.headers["upstash-retried"] for request in requests] == ["0", "1"]
    assert {request.headers["upstash-message-id"] for request in requests} == {message_id}
    assert [(rule["fault"], rule["count"]) for rule in qstash_faults.left()["rules"]] == [("answer", 9)]


def test_a_destination_that_fails_as_often_as_planned_is_a_dead_letter(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    qstash_faults.answer(0, count=3, url=url)
    publish(qstash_server, url)
    qstash_server.wait_until_idle()
    (entry,) = qstash_server.call("GET", "/v2/dlq")["messages"]
    assert "fault plan" in entry["responseBody"]
    assert endpoint.at("/hook") == []


@pytest.mark.parametrize("skew_seconds", [-3_600, 3_600])
def test_a_wrong_clock_signs_what_no_receiver_accepts(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str, skew_seconds: int
) -> None:
    """Expired, or not valid yet; by that clock it would be."""
    qstash_faults.skew_clock(skew_seconds)
    publish(qstash_server, url)
    (request,) = endpoint.wait("/hook")
    receiver = Receiver(qstash_server.current_signing_key, qstash_server.next_signing_key)
    signature, body = request.headers["upstash-signature"], request.body.decode()
    with pytest.raises(SignatureError):
        receiver.verify(signature=signature, body=body, url=url)
    jwt.decode(signature, qstash_server.current_signing_key, algorithms=["HS256"], leeway=4_000)
