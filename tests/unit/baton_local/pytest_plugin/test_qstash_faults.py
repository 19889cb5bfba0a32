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


def bodies(endpoint: Destination) -> list[bytes]:
    return [request.body for request in endpoint.at("/hook")]


def test_a_lost_answer_or_a_duplicate_is_delivered_twice(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    """The first as a retry of the same message, the second as the same delivery."""
    for fault, retried in ((qstash_faults.drop_answer, ["0", "1"]), (qstash_faults.duplicate, ["0", "0"])):
        fault(url=url)
        message_id = publish(qstash_server, url)
        qstash_server.wait_until_idle()
        requests = endpoint.at("/hook")[-2:]
        assert [request.headers["upstash-retried"] for request in requests] == retried
        assert {request.headers["upstash-message-id"] for request in requests} == {message_id}
    assert qstash_server.counters()["delivered"] == 2


def test_a_destination_fails_without_being_called(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    """As often as planned, with a status or a broken connection; then the message dies or gets through."""
    qstash_faults.answer(503, count=2, url=url)
    publish(qstash_server, url)
    qstash_server.wait_until_idle()
    assert [request.headers["upstash-retried"] for request in endpoint.at("/hook")] == ["2"]
    qstash_faults.answer(0, count=3, url=url)
    publish(qstash_server, url)
    qstash_server.wait_until_idle()
    (entry,) = qstash_server.call("GET", "/v2/dlq")["messages"]
    assert "fault plan" in entry["responseBody"]


def test_deliveries_come_in_reverse_or_late(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    qstash_faults.reorder(3, url=url, within_seconds=30)
    for body in "abc":
        publish(qstash_server, url, body)
    qstash_server.wait_until_idle()
    qstash_faults.delay(0.2, url=url)
    for body in ("late", "soon"):
        publish(qstash_server, url, body)
    qstash_server.wait_until_idle()
    assert bodies(endpoint) == [b'"c"', b'"b"', b'"a"', b'"soon"', b'"late"']


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


def test_a_rule_waits_for_its_url_and_can_be_called_off(
    qstash_server: QStashServer, qstash_faults: QStashFaults, endpoint: Destination, url: str
) -> None:
    qstash_faults.answer(500, count=9, url=OTHER)
    publish(qstash_server, url)
    qstash_server.wait_until_idle()
    assert bodies(endpoint) == [b'"x"']
    assert [(rule["fault"], rule["count"]) for rule in qstash_faults.left()["rules"]] == [("answer", 9)]
    qstash_faults.clear()
    assert qstash_faults.left()["rules"] == []
