"""What becomes of each command; tests/contract/redis_rest has scripts, batches and pages over a real server."""

import pytest

from baton_local.redis.commands.command import Answer, Apart, Forward, Pipeline, ScanPage, Transaction, refusal
from baton_local.redis.commands.command_table import CommandTable
from baton_local.redis.commands.prepare import Preparer, ScriptMap, sha1_hex, without_key_locking
from baton_local.redis.link.resp import OK, ServerError, Status, encode_command

FLAGGED = b"#!lua flags=allow-key-locking\nreturn 1"
PLAIN = b"#!lua\nreturn 1"


@pytest.fixture
def preparer() -> Preparer:
    """Without a server."""
    return Preparer(CommandTable())


def test_script_load_answers_with_the_clients_hash(preparer: Preparer) -> None:
    """Unless the server refused the script."""
    command = preparer.prepare([b"SCRIPT", b"LOAD", FLAGGED])
    assert isinstance(command, Forward)
    assert command.arguments == [b"SCRIPT", b"LOAD", PLAIN]
    assert command.rewrite is not None
    assert command.rewrite(sha1_hex(PLAIN)) == sha1_hex(FLAGGED)
    error = ServerError(b"ERR Error compiling script")
    assert command.rewrite(error) is error
    assert preparer.prepare([b"SCRIPT", b"LOAD", PLAIN]) == Forward([b"SCRIPT", b"LOAD", PLAIN])


@pytest.mark.parametrize("text", ["WAIT 1 0", "waitaof 1 0 0", "SCRIPT KILL", "FUNCTION kill"])
def test_what_blocks_or_must_overtake_goes_apart(preparer: Preparer, text: str) -> None:
    """Over a connection of its own."""
    assert type(preparer.prepare(text.encode().split())) is Apart


@pytest.mark.parametrize("text", ["EVAL", "EVALSHA", "SCRIPT", "SCRIPT LOAD", "FUNCTION", "FUNCTION LIST", "GET k"])
def test_what_is_incomplete_is_for_the_server_to_refuse(preparer: Preparer, text: str) -> None:
    """It knows the arity."""
    assert preparer.prepare(text.encode().split()) == Forward(text.encode().split())


def test_a_reader_is_refused_what_is_not_known_to_be_a_read(preparer: Preparer) -> None:
    command = preparer.prepare([b"SET", b"k", b"v"], read_only=True)
    assert isinstance(command, Answer)
    assert command.reply == ServerError(b"NOPERM this token may only read; it cannot run the 'set' command")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (FLAGGED, PLAIN),
        (b"#!lua flags=no-writes,allow-key-locking\nx", b"#!lua flags=no-writes\nx"),
        (b"#!lua flags=allow-key-locking,no-writes,allow-oom\nx", b"#!lua flags=no-writes,allow-oom\nx"),
        (b"#!lua name=n flags=allow-key-locking\r\nx", b"#!lua name=n\r\nx"),
        (b"#!lua flags=allow-key-locking", b"#!lua"),
        (b"#!lua flags=allow-key-locking-2\nx", b"#!lua flags=allow-key-locking-2\nx"),
        (b"#!lua\n-- flags=allow-key-locking", b"#!lua\n-- flags=allow-key-locking"),
        (b" #!lua flags=allow-key-locking\nx", b" #!lua flags=allow-key-locking\nx"),
        (b"", b""),
    ],
)
def test_only_the_flag_of_a_leading_shebang_is_removed(script: bytes, expected: bytes) -> None:
    """Other flags, line ends and everything below stay."""
    assert without_key_locking(script) == expected


def test_the_map_of_hashes_forgets_the_oldest_scripts() -> None:
    """Bounded; a forgotten one is NOSCRIPT, which every client handles."""
    scripts = ScriptMap(limit=2)
    texts = [b"#!lua flags=allow-key-locking\nreturn %d" % number for number in range(3)]
    for text in texts:
        scripts.translate(text)
    assert scripts.loaded_sha(sha1_hex(texts[0])) == sha1_hex(texts[0])
    assert scripts.loaded_sha(sha1_hex(texts[2]).upper()) != sha1_hex(texts[2]).upper()
    assert scripts.translate(texts[0]) == b"#!lua\nreturn 0"
    assert scripts.loaded_sha(sha1_hex(texts[0])) == sha1_hex(b"#!lua\nreturn 0")


def test_a_transaction_is_wrapped_without_a_gap_and_fails_with_its_first_error() -> None:
    """Rather than with EXECABORT, which does not say why; the bridge's own answers keep their place."""
    pipeline = Pipeline([Forward([b"A"]), Answer(OK)])
    transaction, queued, wrong = Transaction(pipeline), Status(b"QUEUED"), ServerError(b"ERR wrong number of arguments")
    assert (pipeline.has_apart, Pipeline([Apart([b"WAIT"])]).has_apart) == (False, True)
    assert (pipeline.reply_count, transaction.reply_count) == (1, 3)
    assert transaction.frames() == b"".join(encode_command([name]) for name in (b"MULTI", b"A", b"EXEC"))
    assert transaction.merge([OK, queued, [b"a"]]) == [b"a", OK]
    assert transaction.merge([OK, wrong, ServerError(b"EXECABORT ...")]) == wrong
    assert transaction.merge([OK, queued, ServerError(b"OOM")]) == ServerError(b"OOM")
    aborted = transaction.merge([OK, queued, None])
    assert isinstance(aborted, ServerError)
    assert aborted.code == b"EXECABORT"
    refused = Transaction(Pipeline([Forward([b"A"]), refusal("first"), refusal("second")])).refused()
    assert (transaction.refused(), refused) == (None, ServerError(b"ERR first"))


@pytest.mark.parametrize("command", ["SCAN 0", "SCAN 0 COUNT 100", "SCAN", "SCAN 0 MATCH"])
def test_without_a_filter_the_servers_page_is_the_page(command: str) -> None:
    """Nothing to fill, or nothing well-formed."""
    assert ScanPage.of_command(command.encode().split()) is None


def test_a_filtered_page_asks_on_until_it_is_full() -> None:
    """With the same options, from the cursor reached, looking further each time."""
    page = ScanPage.of_command(b"SCAN 0 match a* count 3 TYPE string".split())
    assert page is not None
    assert page.take([b"17", [b"a1"]])
    assert page.next_call() == [b"SCAN", b"17", b"match", b"a*", b"TYPE", b"string", b"COUNT", b"20"]
    assert page.take([b"5", []])
    assert page.next_call()[-1] == b"40"
    assert not page.take([b"9", [b"a2", b"a3", b"a4"]])
    assert page.reply() == [b"9", [b"a1", b"a2", b"a3", b"a4"]]


def test_a_page_may_stay_short_rather_than_scan_forever() -> None:
    """Bounded work for one request."""
    page = ScanPage.of_command(b"SCAN 0 MATCH nosuch COUNT 1".split())
    assert page is not None
    calls = 1
    while page.take([b"1", []]):
        assert int(page.next_call()[-1]) <= 1000
        calls += 1
    assert calls == 1000
    assert not page.take(ServerError(b"ERR value is not an integer"))


def test_a_script_is_loaded_without_the_flag_and_found_by_its_own_hash(preparer: Preparer) -> None:
    assert preparer.prepare([b"eval", FLAGGED, b"0"]) == Forward([b"eval", PLAIN, b"0"])
    assert preparer.prepare([b"eval", FLAGGED, b"1"]) == Forward([b"eval", PLAIN, b"1"]), "it is known now"
    assert preparer.prepare([b"EVALSHA", sha1_hex(FLAGGED), b"0"]) == Forward([b"EVALSHA", sha1_hex(PLAIN), b"0"])
    exists = preparer.prepare([b"SCRIPT", b"exists", sha1_hex(FLAGGED), b"x"])
    assert exists == Forward([b"SCRIPT", b"exists", sha1_hex(PLAIN), b"x"])


@pytest.mark.parametrize("text", ["BLPOP k 0", "CLIENT KILL x", "SCRIPT DEBUG YES", "CLIENT"])
def test_what_endangers_the_server_is_answered_as_it_would(preparer: Preparer, text: str) -> None:
    command = preparer.prepare(text.encode().split())
    assert isinstance(command, Answer)
    assert isinstance(command.reply, ServerError)
    assert command.reply.code == b"ERR"
    assert preparer.prepare([b"client", b"setinfo", b"LIB-NAME", b"x"]) == Answer(OK)


def test_no_key_is_known_to_be_too_large_before_the_server_was_asked() -> None:
    preparer = Preparer(CommandTable(), key_limit_bytes=3)
    long = b"k" * 4
    assert preparer.prepare([b"GET", long]) == Forward([b"GET", long])
