"""Who may use the API; keys that `baton keys` made are looked up in the store, seldom, and not for those who guess."""

from dataclasses import replace

import pytest
from starlette.requests import HTTPConnection

from baton.server.api.auth import BELIEVED_MS, UNKNOWN_PER_MINUTE, Principal, Signer, from_here, parse_keys
from baton.store.redis import keys
from baton_events.errors import StoreError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import (
    ACME,
    ADMIN_KEY,
    KEY,
    Api,
    api_of,
    assert_problem,
    digest,
    store_keys,
    with_keys,
)

HASH = "a" * 64


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_known_key_is_known_whatever_the_case_of_its_scheme(api: Api, scheme: str) -> None:
    """RFC 9110 says so."""
    response = await api.http.get("/api/agent-jobs/job_1", headers={"authorization": f"{scheme} {ACME}"})
    assert response.status_code == 404


@pytest.mark.parametrize("key", ["schlüssel", "鍵 1", "\N{NO-BREAK SPACE}é"])
async def test_a_key_of_the_setting_may_have_any_characters(key: str) -> None:
    """A client sends them in UTF-8, and the digest is of those bytes; as of what is typed into the login."""
    settings = replace(with_keys(), api_keys=f"admin:acme:{digest(key.strip())}")
    async with api_of(Stage(settings=settings)) as api:
        headers = {b"authorization": b"Bearer " + key.encode()}
        assert (await api.http.get("/api/agent-jobs/job_1", headers=headers)).status_code == 404
        login = await api.http.post("/console/login", data={"key": key})
        assert login.status_code == 303, login.text


def test_keys_are_read_with_role_and_tenant() -> None:
    assert parse_keys(f" client:acme:{HASH} , admin:ops.team-1:{HASH},") == [
        (HASH, Principal("client", "acme")),
        (HASH, Principal("admin", "ops.team-1")),
    ]
    assert parse_keys("") == []


PATH = "/api/agent-jobs/job_1"


@pytest.fixture(autouse=True)
async def _known(api: Api) -> None:
    await store_keys(api.stage)


def guess(number: int) -> str:
    return f"bk_client_{number:043d}"


async def test_a_stored_key_opens_what_its_role_and_tenant_may_see(api: Api) -> None:
    job_id = (await api.submitted(KEY))["id"]
    assert (await api.read(job_id, ACME))["id"] == job_id
    assert (await api.request("GET", "/api/admin/tools", ADMIN_KEY)).status_code == 200
    assert_problem(await api.request("GET", "/api/admin/tools", KEY), 403)


async def test_a_key_is_looked_up_every_30_s_and_a_revoked_one_is_good_no_longer(api: Api) -> None:
    for _ in range(5):
        await api.request("GET", PATH, KEY)
    assert api.stage.api_key_store.connection.sent.count("HMGET") == 1
    api.stage.clock.ms += BELIEVED_MS
    await api.request("GET", PATH, KEY)
    assert api.stage.api_key_store.connection.sent.count("HMGET") == 2
    await api.stage.api_key_store.revoke(digest(KEY))
    assert (await api.request("GET", PATH, KEY)).status_code == 404
    api.stage.clock.ms += BELIEVED_MS
    assert_problem(await api.request("GET", PATH, KEY), 401)


@pytest.mark.parametrize("key", ["x", "bk_root_" + "a" * 43, KEY + "a", KEY[:-1], digest(KEY)])
async def test_what_cannot_be_a_key_costs_no_read(api: Api, key: str) -> None:
    assert_problem(await api.request("GET", PATH, key), 401)
    assert api.stage.api_key_store.connection.sent.count("HMGET") == 0


async def test_who_guesses_costs_few_reads_and_locks_nobody_out(api: Api) -> None:
    """429 with Retry-After once a source's budget is spent; a key that is known goes on, even when it is looked up."""
    await api.request("GET", PATH, KEY)
    answers = [await api.request("GET", PATH, guess(number)) for number in range(2 * UNKNOWN_PER_MINUTE)]
    assert [response.status_code for response in answers].count(401) == UNKNOWN_PER_MINUTE
    assert_problem(answers[-1], 429)
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert api.stage.api_key_store.connection.sent.count("HMGET") == 1 + UNKNOWN_PER_MINUTE
    assert (await api.request("GET", PATH, KEY)).status_code == 404
    api.stage.clock.ms += BELIEVED_MS  # the budget has filled a little meanwhile
    again = [(await api.request("GET", PATH, guess(number))).status_code for number in range(UNKNOWN_PER_MINUTE)]
    assert again[-1] == 429
    assert (await api.request("GET", PATH, KEY)).status_code == 404


async def test_who_guesses_behind_a_proxy_locks_out_no_key_that_was_not_seen_before(api: Api) -> None:
    """All who come through it have its address; guesses cost one look at all keys in half a minute."""
    for number in range(UNKNOWN_PER_MINUTE + 20):
        await api.request("GET", PATH, guess(number))
    checks = api.stage.api_key_store.connection.sent.count("HMGET")
    assert (await api.request("GET", PATH, KEY)).status_code == 404  # there is no such job
    assert_problem(await api.request("GET", PATH, guess(99)), 429)
    assert api.stage.api_key_store.connection.sent.count("HMGET") == checks
    await api.stage.api_key_store.revoke(digest(KEY))
    api.stage.clock.ms += BELIEVED_MS
    assert_problem(await api.request("GET", PATH, KEY), 401)


async def test_the_day_of_use_is_noted_once_a_day(api: Api) -> None:
    await api.request("GET", PATH, KEY)
    assert api.stage.redis.hash(keys.API_KEYS)[f"used:{digest(KEY)}"] == "2027-01-15"
    api.stage.clock.ms += 86_400_000
    await api.request("GET", PATH, KEY)
    assert api.stage.redis.hash(keys.API_KEYS)[f"used:{digest(KEY)}"] == "2027-01-16"


async def test_while_the_store_does_not_answer_only_keys_of_the_setting_are_known(api: Api) -> None:
    """503, not 401: the key may be good."""
    api.stage.api_key_store.connection.down = StoreError("down")
    assert_problem(await api.request("GET", PATH, KEY), 503)
    assert (await api.request("GET", PATH, ACME)).status_code == 404


CONTENT = {"id": "s", "key": "k", "until_ms": 10}


def test_a_session_is_read_until_its_end_by_the_deployment_that_signed_it() -> None:
    """Nothing that was signed for something else, or changed, is one; changing a setting ends every login."""
    settings = with_keys()
    signer = Signer(settings)
    cookie = signer.signed("session", CONTENT)
    session = signer.session(cookie, 9)
    assert session is not None
    assert (session.id, session.key) == ("s", "k")
    text, _, signature = cookie.partition(".")
    later = signer.signed("session", CONTENT | {"until_ms": 99}).partition(".")[0]
    said = signer.signed("said", CONTENT)
    for other in (said, f"{later}.{signature}", f"{text}.{signature[:-1]}", text, f".{signature}"):
        assert signer.session(other, 1) is None
    assert signer.session(cookie, 10) is None
    for changed in (
        replace(settings, api_keys=""),
        replace(settings, qstash_token="new"),
        replace(settings, redis_token="new"),
    ):
        assert Signer(changed).session(cookie, 1) is None
    assert Signer(replace(settings, max_concurrent_jobs=9)).session(cookie, 1) is not None


def test_each_session_has_forms_of_its_own() -> None:
    signer = Signer(with_keys())
    one, other = (signer.session(signer.signed("session", CONTENT | {"id": name}), 1) for name in ("a", "b"))
    assert one is not None
    assert other is not None
    assert signer.fits(one, signer.form_token(one))
    assert not signer.fits(one, signer.form_token(other))
    assert not signer.fits(one, "")


@pytest.mark.parametrize(
    ("headers", "is_from_here"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://elsewhere"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://here", "host": "here"}, True),
        ({"origin": "https://elsewhere", "host": "here"}, False),
        ({"host": "here"}, True),
    ],
)
def test_a_form_comes_from_a_page_of_this_host_or_from_none(headers: dict[str, str], is_from_here: bool) -> None:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert from_here(HTTPConnection({"type": "http", "headers": sent})) is is_from_here
