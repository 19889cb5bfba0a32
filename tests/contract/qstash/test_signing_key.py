import pytest
from qstash import Receiver
from qstash.errors import QStashError, SignatureError

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient
from tests.unit.baton_local.qstash.server_process import ServerProcess


async def test_receiver_verifies_what_is_delivered(sdk: EitherClient, destination: Destination, name: str) -> None:
    """The official verifier accepts the token for this URL and body, and for no other."""
    keys = await sdk.signing_key.get()
    url = destination.url(f"/{name}?x=1&y=%20")
    await sdk.message.publish_json(url=url, body={"a": "é"})
    (request,) = destination.wait(f"/{name}?x=1&y=%20")
    receiver = Receiver(keys.current, keys.next)
    signature, body = request.headers["upstash-signature"], request.body.decode()
    receiver.verify(signature=signature, body=body, url=url)
    strange = Receiver("sig_other", "sig_another")
    for verifier, text, where in ((receiver, body + " ", url), (receiver, body, url + "0"), (strange, body, url)):
        with pytest.raises(SignatureError):
            verifier.verify(signature=signature, body=text, url=where)
    await sdk.message.publish(url=destination.url(f"/{name}/empty"))  # no body is signed as the empty text
    (request,) = destination.wait(f"/{name}/empty")
    receiver.verify(signature=request.headers["upstash-signature"], body="")


async def test_rotation_keeps_receivers_working(sdk: EitherClient, destination: Destination, name: str) -> None:
    before = await sdk.signing_key.get()
    after = await sdk.signing_key.rotate()
    assert after.current == before.next
    assert (await sdk.signing_key.get()) == after
    await sdk.message.publish(url=destination.url(f"/{name}"), body="x")
    (request,) = destination.wait(f"/{name}")
    Receiver(before.current, before.next).verify(signature=request.headers["upstash-signature"], body="x")
    with pytest.raises(SignatureError):
        Receiver(before.current, before.current).verify(signature=request.headers["upstash-signature"], body="x")


@pytest.mark.parametrize(("token", "status"), [("wrong", "401"), ("reader", "403")])
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_other_tokens_are_errors(server: ServerProcess, token: str, status: str, kind: str) -> None:
    client = EitherClient(kind, token, server.url)
    with pytest.raises(QStashError, match=status):
        await client.signing_key.rotate()
    await client.close()


async def test_development_users_have_the_published_keys(server: ServerProcess) -> None:
    """What `QSTASH_DEV=true` probes for (the second user's keys were never rotated here)."""
    second = DEVELOPMENT_USERS[1]
    client = EitherClient("async", second.token, server.url)
    keys = await client.signing_key.get()
    assert (keys.current, keys.next) == (second.current_signing_key, second.next_signing_key)
    await client.close()
