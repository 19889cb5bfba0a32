import pytest

from baton_local.redis.commands.command import Answer, Apart, Forward
from baton_local.redis.commands.command_table import CommandTable
from baton_local.redis.commands.prepare import Preparer, sha1_hex
from baton_local.redis.link.resp import OK, ServerError

FLAGGED = b"#!lua flags=allow-key-locking\nreturn 1"
PLAIN = b"#!lua\nreturn 1"


@pytest.fixture
def preparer() -> Preparer:
    return Preparer(CommandTable())


def test_a_script_is_loaded_without_the_flag_and_found_by_its_own_hash(preparer: Preparer) -> None:
    assert preparer.prepare([b"eval", FLAGGED, b"0"]) == Forward([b"eval", PLAIN, b"0"])
    assert preparer.prepare([b"EVALSHA", sha1_hex(FLAGGED), b"0"]) == Forward([b"EVALSHA", sha1_hex(PLAIN), b"0"])
    exists = preparer.prepare([b"SCRIPT", b"exists", sha1_hex(FLAGGED), b"x"])
    assert exists == Forward([b"SCRIPT", b"exists", sha1_hex(PLAIN), b"x"])


def test_script_load_answers_with_the_clients_hash(preparer: Preparer) -> None:
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
    assert type(preparer.prepare(text.encode().split())) is Apart


@pytest.mark.parametrize("text", ["EVAL", "EVALSHA", "SCRIPT", "SCRIPT LOAD", "FUNCTION", "FUNCTION LIST", "GET k"])
def test_what_is_incomplete_is_for_the_server_to_refuse(preparer: Preparer, text: str) -> None:
    assert preparer.prepare(text.encode().split()) == Forward(text.encode().split())


def test_client_setinfo_is_answered_here(preparer: Preparer) -> None:
    """It would be a property of the shared connection."""
    assert preparer.prepare([b"client", b"setinfo", b"LIB-NAME", b"x"]) == Answer(OK)


@pytest.mark.parametrize("text", ["BLPOP k 0", "CLIENT KILL x", "SCRIPT DEBUG YES", "CLIENT"])
def test_refusals_are_errors(preparer: Preparer, text: str) -> None:
    command = preparer.prepare(text.encode().split())
    assert isinstance(command, Answer)
    assert isinstance(command.reply, ServerError)
    assert command.reply.code == b"ERR"


def test_a_reader_is_refused_what_is_not_known_to_be_a_read(preparer: Preparer) -> None:
    command = preparer.prepare([b"SET", b"k", b"v"], read_only=True)
    assert isinstance(command, Answer)
    assert command.reply == ServerError(b"NOPERM this token may only read; it cannot run the 'set' command")
