from base64 import b64encode
from typing import Any

from qstash.log import LogState

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


async def test_delivered_message_has_three_logs(
    sdk: EitherClient, destination: Destination, name: str, eventually: Any
) -> None:
    """Newest first, exactly one DELIVERED, all data on each."""
    flow_control = {"key": name, "rate": 5}
    answer = await sdk.message.publish(
        url=destination.url(f"/{name}"), body="x", label=name, retry_delay="1000", flow_control=flow_control, timeout=7
    )

    async def all_logs() -> Any:
        logs = (await sdk.log.list(filter={"message_id": answer.message_id})).logs
        return logs if len(logs) == 3 else None

    logs = await eventually(all_logs)
    assert [log.state for log in logs] == [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED]
    for log in logs:
        assert (log.label, log.retry_delay_expression, log.url) == (name, "1000", destination.url(f"/{name}"))
        assert (log.flow_control.key, log.flow_control.rate, log.flow_control.period) == (name, 5, 1)
        assert (log.body_base64, log.method, log.max_retries) == (b64encode(b"x").decode(), "POST", 3)
        assert log.timeout == 7_000
    assert logs[0].response_status == 200
    assert logs[0].response_body == b64encode(b"ok").decode()
    assert logs[0].response_headers["Content-Length"] == ["2"]
