"""What the doctor says of settings alone: a case a message, each with a way out."""

import pytest

from baton.settings.table import SETTINGS
from baton_local.doctor.checkup import read
from baton_local.doctor.finding import Finding, Level

WELL = {
    "QSTASH_TOKEN": "token",
    "QSTASH_CURRENT_SIGNING_KEY": "sig_1",
    "QSTASH_NEXT_SIGNING_KEY": "sig_2",
    "WORKER_BASE_URL": "https://fn.example.com",
    "UPSTASH_REDIS_REST_URL": "https://redis.example.com",
    "UPSTASH_REDIS_REST_TOKEN": "redis-token",
    "API_KEYS": f"client:acme:{'a' * 64}",
}


def only(environment: dict[str, str]) -> Finding:
    (found,) = [finding for finding in read(environment)[1] if finding.level is not Level.OK]
    assert found.way_out
    return found


def test_settings_that_can_be_right_are_well() -> None:
    """A slash at the end is no fault, and variables of others are nobody's business."""
    settings, (finding,) = read({**WELL, "WORKER_BASE_URL": "https://fn.example.com/"})
    assert settings is not None
    assert settings.worker_base_url == "https://fn.example.com"
    text = "queue https://qstash.upstash.io, functions https://fn.example.com"
    assert (finding.level, finding.text) == (Level.OK, text)
    others = {"QSTASH_DEV": "true", "BATON_URL": "x", "PATH": "/bin", "UPSTASH_EMAIL": "x"}
    assert all(finding.level is Level.OK for finding in read({**WELL, **others})[1])


@pytest.mark.parametrize("name", sorted(WELL.keys() - {"API_KEYS"}))
def test_what_is_needed_and_not_set_fails(name: str) -> None:
    found = only({**WELL, name: " "})
    assert found.level is Level.FAILED
    assert found.text.startswith(name)
    assert " is not set: " in found.text
    assert ("console" in found.way_out) is (name != "WORKER_BASE_URL")


def test_without_any_settings_it_says_how_to_name_some() -> None:
    first, *others = read({})[1]
    assert (first.level, "--env-file FILE" in first.way_out) == (Level.FAILED, True)
    needed = {setting.name for setting in SETTINGS if setting.needed}
    assert {each.text.partition(" ")[0] for each in others if each.level is Level.FAILED} == needed


def test_wrong_values_are_all_reported_and_nothing_else_is_looked_at() -> None:
    """As the functions would say it."""
    wrong = {**WELL, "WORKER_BASE_URL": "http://fn.example.com", "PUBLISH_BY": "pigeon"}
    settings, found = read(wrong)
    assert settings is None
    assert [finding.level for finding in found] == [Level.FAILED] * 2
    texts = " ".join(finding.text for finding in found)
    assert "WORKER_BASE_URL: 'http://fn.example.com' is not a URL with https" in texts
    assert "PUBLISH_BY: 'pigeon' is not one of url, topic" in texts


@pytest.mark.parametrize(
    ("changed", "level", "text", "way_out"),
    [
        ({"WORKER_BASE_URL": "http://localhost:8090"}, Level.FAILED, "reached by this machine only", "baton tunnel"),
        ({"QSTASH_URL": "https://qstash.upstash.io/v2"}, Level.FAILED, "has a path of the API", "from /v2 on"),
        ({"QSTASH_TOKEN": "sig_x"}, Level.FAILED, "QSTASH_TOKEN holds a signing key", "set the token"),
        ({"QSTASH_TOKEN": "redis-token"}, Level.WARNING, "have the same token", "which of the two"),
        ({"WORKER_BASE_URL": "https://x.example.com/workers"}, Level.FAILED, "the endpoint twice", "leave /workers"),
        ({"WORK_TIMEOUT_SECONDS": "250"}, Level.WARNING, "(240 s): work that takes so long is cut off", "lower it"),
        ({"QSTASH_CURENT_SIGNING_KEY": "x"}, Level.WARNING, "is no setting", "QSTASH_CURRENT_SIGNING_KEY?"),
        ({"ENABLE_TEST_ENDPOINT": "true"}, Level.WARNING, "anybody runs jobs without a key", "take ENABLE_TEST"),
        ({"API_KEYS": ""}, Level.NOTE, "API_KEYS is not set", ""),
        ({"METRICS_PUBLIC": "1"}, Level.WARNING, "anybody reads the metrics", "take METRICS_PUBLIC out"),
        ({"UPSTASH_REDIS_REST_URI": "x"}, Level.WARNING, "is no setting", "UPSTASH_REDIS_REST_URL?"),
    ],
)
def test_what_cannot_be_meant_is_reported(changed: dict[str, str], level: Level, text: str, way_out: str) -> None:
    """Each with its own words; no secret in any."""
    found = only({**WELL, **changed})
    assert (found.level, text in found.text, way_out in found.way_out) == (level, True, True), found
    assert "redis-token" not in found.text + found.way_out
