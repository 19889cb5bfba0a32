"""The probe: answered by every webhook once its signature is believed, and by nothing behind it."""

import httpx
import pytest

from baton.app import SPECS, build_app
from baton.engine.commit.answers import Claim, ClaimResult
from baton.queue.qstash.verifier import QueueVerifier
from baton.runtime.spec import Spec
from baton.runtime.webhook import own_version, probe_body
from baton_events.errors import StoreError
from baton_events.schema import SCHEMA_VERSION
from tests.fakes import FakeStore
from tests.unit.baton.kit.signing import STRANGE, delivery_headers, keyed, signature
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

KEYED = keyed(SETTINGS)


class NoStore(FakeStore):
    async def claim(self, claim: Claim) -> ClaimResult:
        raise StoreError("down")


async def deliver(url: str, body: bytes, **headers: str) -> tuple[httpx.Response, Stage]:
    stage = Stage(settings=KEYED, store=NoStore(), verifier=QueueVerifier(KEYED))
    transport = httpx.ASGITransport(app=build_app(stage.container), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.post(url, content=body, headers=delivery_headers(url, body, **headers)), stage


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
async def test_every_webhook_answers_a_probe_and_changes_nothing(spec: Spec) -> None:
    answer, stage = await deliver(f"{BASE}{spec.path}", probe_body("p1").encode())
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "probe", "version": own_version(), "schemaVersion": SCHEMA_VERSION}
    assert stage.queue.published == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
async def test_a_probe_that_the_queue_did_not_sign_is_refused(spec: Spec) -> None:
    url, body = f"{BASE}{spec.path}", probe_body("p1").encode()
    answer, _ = await deliver(url, body, upstash_signature=signature(url, body, STRANGE))
    assert (answer.status_code, "outcome" in answer.json()) == (401, False)
