"""Lua over REST, and the key-locking flag (redis-rest.md 9)."""

import hashlib

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

FLAGGED = "#!lua flags=allow-key-locking\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])"


def sha1(script: str) -> str:
    return hashlib.sha1(script.encode()).hexdigest()


@pytest.mark.parametrize(
    "shebang",
    [
        "#!lua flags=allow-key-locking",
        "#!lua flags=no-writes,allow-key-locking",
        "#!lua flags=allow-key-locking,no-writes",
        "#!lua  flags=allow-key-locking ",
        "#!lua flags=allow-key-locking\r",
    ],
)
def test_the_flag_is_removed_wherever_it_stands_in_the_shebang(redis: LocalRedis, shebang: str) -> None:
    script = f"{shebang}\nreturn 7"
    assert redis.command("EVAL", script, "0") == 7
    assert redis.command("EVALSHA", sha1(script), "0") == 7
    assert redis.command("EVALSHA", sha1(script).upper(), "0") == 7


def test_read_only_variants_run_scripts_that_promise_not_to_write(redis: LocalRedis) -> None:
    script = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('GET', KEYS[1])"
    assert redis.command("EVAL_RO", script, "1", "none") is None
    assert redis.command("EVALSHA_RO", sha1(script), "1", "none") is None


def test_the_other_flags_still_hold(redis: LocalRedis) -> None:
    script = "#!lua flags=allow-key-locking,no-writes\nreturn redis.call('SET', KEYS[1], 'v')"
    assert "Write commands are not allowed" in redis.error("EVAL", script, "1", "k")
    assert "unexpected flag" in redis.error("EVAL", "#!lua flags=allow-key-locking,nonsense\nreturn 1", "0").lower()


def test_line_numbers_stay(redis: LocalRedis) -> None:
    """The shebang line is kept, so an error's line is the author's."""
    assert "user_script:3:" in redis.error("EVAL", "#!lua flags=allow-key-locking\n\nreturn nosuch.field", "0")


def test_a_loaded_script_goes_by_its_own_hash(redis: LocalRedis) -> None:
    assert redis.command("SCRIPT", "LOAD", FLAGGED) == sha1(FLAGGED)
    assert redis.command("SCRIPT", "EXISTS", sha1(FLAGGED), "0" * 40) == [1, 0]
    assert redis.command("EVALSHA", sha1(FLAGGED), "1", "n", "2") == 2
    assert redis.command("SCRIPT", "FLUSH") == "OK"
    assert redis.command("SCRIPT", "EXISTS", sha1(FLAGGED)) == [0]
    assert redis.error("EVALSHA", sha1(FLAGGED), "1", "n", "2").startswith("NOSCRIPT ")


@pytest.mark.parametrize("path", ["/pipeline", "/multi-exec"])
def test_batches_translate_hashes_as_well(redis: LocalRedis, path: str) -> None:
    script = FLAGGED + f" -- {path}"
    answer = redis.post(
        [["SCRIPT", "LOAD", script], ["EVALSHA", sha1(script), "1", "n", "5"], ["EVAL", script, "1", "n", "1"]], path
    )
    assert answer.json() == [{"result": sha1(script)}, {"result": 5}, {"result": 6}]


def test_scripts_without_the_flag_are_left_alone(redis: LocalRedis) -> None:
    plain = "return 'allow-key-locking'"
    assert redis.command("EVAL", plain, "0") == "allow-key-locking"
    assert redis.command("EVALSHA", sha1(plain), "0") == "allow-key-locking"
    assert redis.command("SCRIPT", "LOAD", plain) == sha1(plain)


def test_a_script_that_does_not_compile_is_an_error(redis: LocalRedis) -> None:
    script = "#!lua flags=allow-key-locking\nreturn ("
    assert redis.error("SCRIPT", "LOAD", script).startswith("ERR ")
    assert redis.error("EVALSHA", sha1(script), "0").startswith("NOSCRIPT ")


def test_a_running_script_can_be_killed(redis: LocalRedis) -> None:
    """KILL comes over a connection of its own; with nothing to kill it says so at once."""
    assert redis.error("SCRIPT", "KILL").startswith("NOTBUSY ")
    assert redis.error("FUNCTION", "KILL").startswith("NOTBUSY ")
    assert redis.post([["SCRIPT", "KILL"], ["PING"]], "/pipeline").json()[1] == {"result": "PONG"}
