"""Lua over REST, and the key-locking flag (redis-rest.md 9)."""

import hashlib

import pytest

from tests.contract.redis_rest.local_redis import LocalRedis

FLAGGED = "#!lua flags=allow-key-locking\nreturn redis.call('INCRBY', KEYS[1], ARGV[1])"


def sha1(script: str) -> str:
    return hashlib.sha1(script.encode()).hexdigest()


@pytest.mark.parametrize(
    "options", ["flags=allow-key-locking", "flags=no-writes,allow-key-locking", " flags=allow-key-locking \r"]
)
def test_the_flag_is_removed_wherever_it_stands_in_the_shebang(redis: LocalRedis, options: str) -> None:
    """By EVAL and by the SHA1 of the original text, in either case."""
    script = f"#!lua {options}\nreturn 7"
    assert redis.command("EVAL", script, "0") == 7
    assert redis.command("EVALSHA", sha1(script), "0") == 7
    assert redis.command("EVALSHA", sha1(script).upper(), "0") == 7


def test_the_other_flags_still_hold(redis: LocalRedis) -> None:
    """A stock server asks for the no-writes flag of what is to read only; whoever promises it may not write."""
    reads = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('GET', KEYS[1])"
    assert redis.command("EVAL_RO", reads, "1", "none") is None
    assert redis.command("EVALSHA_RO", sha1(reads), "1", "none") is None
    writes = reads.replace("GET", "DEL")
    assert "Write commands are not allowed" in redis.error("EVAL", writes, "1", "k")
    assert "unexpected flag" in redis.error("EVAL", "#!lua flags=allow-key-locking,nonsense\nreturn 1", "0").lower()


def test_line_numbers_stay(redis: LocalRedis) -> None:
    """The shebang line is kept, so an error's line is the author's."""
    assert "user_script:3:" in redis.error("EVAL", "#!lua flags=allow-key-locking\n\nreturn nosuch.field", "0")


def test_a_loaded_script_goes_by_its_own_hash(redis: LocalRedis) -> None:
    """SCRIPT LOAD, EXISTS, EVALSHA and FLUSH all speak of the client's text."""
    assert redis.command("SCRIPT", "LOAD", FLAGGED) == sha1(FLAGGED)
    assert redis.command("SCRIPT", "EXISTS", sha1(FLAGGED), "0" * 40) == [1, 0]
    assert redis.command("EVALSHA", sha1(FLAGGED), "1", "n", "2") == 2
    assert redis.command("SCRIPT", "FLUSH") == "OK"
    assert redis.command("SCRIPT", "EXISTS", sha1(FLAGGED)) == [0]
    assert redis.error("EVALSHA", sha1(FLAGGED), "1", "n", "2").startswith("NOSCRIPT ")


@pytest.mark.parametrize("path", ["/pipeline", "/multi-exec"])
def test_batches_translate_hashes_as_well(redis: LocalRedis, path: str) -> None:
    """Also where the script is loaded by the same batch."""
    script = FLAGGED + f" -- {path}"
    members = [["SCRIPT", "LOAD", script], ["EVALSHA", sha1(script), "1", "n", "5"], ["EVAL", script, "1", "n", "1"]]
    assert redis.post(members, path).json() == [{"result": sha1(script)}, {"result": 5}, {"result": 6}]


def test_a_running_script_can_be_killed(redis: LocalRedis) -> None:
    """KILL comes over a connection of its own; with nothing to kill it says so at once."""
    assert redis.error("SCRIPT", "KILL").startswith("NOTBUSY ")
    assert redis.error("FUNCTION", "KILL").startswith("NOTBUSY ")
    assert redis.post([["SCRIPT", "KILL"], ["PING"]], "/pipeline").json()[1] == {"result": "PONG"}
