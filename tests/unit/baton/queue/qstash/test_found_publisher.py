"""Answers of the queue that are not told by name yet."""

import httpx
import pytest
import respx

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton_events.errors import PublishError
from baton_events.messages import Outgoing

QUEUE_URL = "https://queue.example.com"
TO_URL = Outgoing(body="{}", url="https://fn.example.com/workers/agent-loop")
SETTINGS = Settings(qstash_url=QUEUE_URL, qstash_token="t")
GARBAGE = [
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json={}),
    httpx.Response(200, json=[]),
    httpx.Response(200, json="ok"),
    httpx.Response(204),
]


@pytest.mark.parametrize("answer", GARBAGE, ids=["html", "object", "list", "text", "nothing"])
@pytest.mark.parametrize("count", [1, 2])
@respx.mock
async def test_garbage_is_a_publish_error(answer: httpx.Response, count: int) -> None:
    """Now JSONDecodeError, KeyError, IndexError, TypeError."""
    respx.post(url__startswith=QUEUE_URL).mock(return_value=answer)
    queue = QStashQueue(SETTINGS)
    with pytest.raises(PublishError):
        await queue.publish([TO_URL] * count)
    await queue.close()


@respx.mock
async def test_a_404_of_a_url_message_names_no_topic() -> None:
    """It is most likely a wrong QSTASH_URL."""
    respx.post(url__startswith=QUEUE_URL).mock(return_value=httpx.Response(404, text="nothing here"))
    queue = QStashQueue(SETTINGS)
    with pytest.raises(PublishError) as caught:
        await queue.publish([TO_URL])
    await queue.close()
    assert "topic ''" not in str(caught.value)
