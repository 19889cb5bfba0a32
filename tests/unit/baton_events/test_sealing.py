"""Sealed texts open at their own place alone, by their own key; settings that are wrong show no key."""

import subprocess
import sys
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from baton.settings.settings import Settings, read_settings
from baton_events import sealing as module
from baton_events.emitter_settings import EmitterSettings
from baton_events.errors import NewerVersionError, SettingsError, UnreadablePayloadError
from baton_events.sealing import PayloadContext, Sealing, sealed_by, sealing_of

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
K1, K2 = f"k1:{b64encode(OLD).decode()}", f"k2:{b64encode(NEW).decode()}"
HERE = PayloadContext("acme", "text", "job_1")
TEXT = "the patient's name is Ä. Ö."


def _of(keys: str) -> Sealing:
    return sealing_of(keys, "")


def test_a_sealed_text_names_its_key_and_hides_the_rest() -> None:
    sealed = _of(K1).seal(TEXT, HERE)
    start, key_id, data = sealed.split(":")
    assert (start, key_id) == ("sealed", "k1")
    assert b"patient" not in urlsafe_b64decode(data + "==")
    assert _of(K1).open(sealed, "text", "job_1") == TEXT


def test_the_same_text_is_never_sealed_alike() -> None:
    assert len({_of(K1).seal(TEXT, HERE) for _ in range(100)}) == 100


def test_bytes_have_the_same_head() -> None:
    sealed = _of(K1).seal_bytes(b"\x00\xff", PayloadContext("acme", "object", "job_1"))
    assert sealed.startswith(b"sealed:k1:")
    assert _of(K1).open_bytes(sealed, "object", "job_1") == b"\x00\xff"
    assert _of(K1).open_bytes(b"plain", "object", "job_1") == b"plain"


def test_a_plain_text_is_read_as_it_is() -> None:
    assert _of(K1).open('{"text": "sealed:k1:"}', "text", "job_1") == '{"text": "sealed:k1:"}'
    assert _of("").seal(TEXT, HERE) == TEXT
    assert _of("").open(TEXT, "text", "job_1") == TEXT


@pytest.mark.parametrize(("kind", "belongs_to"), [("record", "job_1"), ("text", "job_2"), ("text", "")])
def test_a_text_opens_at_no_other_place(kind: module.Kind, belongs_to: str) -> None:
    with pytest.raises(UnreadablePayloadError):
        _of(K1).open(_of(K1).seal(TEXT, HERE), kind, belongs_to)


def test_a_text_of_another_tenant_does_not_open() -> None:
    """Also where somebody rewrites the tenant in its head."""
    sealed = _of(K1).seal_bytes(b"text", PayloadContext("acme", "text", "job_1"))
    with pytest.raises(UnreadablePayloadError):
        _of(K1).open_bytes(sealed.replace(b"acme", b"evil"), "text", "job_1")


def test_no_part_of_a_sealed_text_can_be_changed() -> None:
    sealed = _of(K1).seal_bytes(b"text", HERE)
    head = len(b"sealed:k1:")
    for at in range(head, len(sealed)):
        damaged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(UnreadablePayloadError):
            _of(K1).open_bytes(damaged, "text", "job_1")
    for end in range(head, len(sealed)):
        with pytest.raises(UnreadablePayloadError):
            _of(K1).open_bytes(sealed[:end], "text", "job_1")


@pytest.mark.parametrize("text", ["sealed:", "sealed:k1", "sealed:k1:", "sealed:k1:*", "sealed:k1:AAAA", "sealed:k1:ä"])
def test_what_only_looks_sealed_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadablePayloadError):
        _of(K1).open(text, "text", "job_1")


def test_a_key_that_is_not_there_is_named() -> None:
    """It is left to an instance that has it, as what a newer version wrote."""
    with pytest.raises(NewerVersionError, match="the key 'k1' of PAYLOAD_KEYS is not there") as caught:
        _of(K2).open(_of(K1).seal(TEXT, HERE), "text", "job_1")
    assert isinstance(caught.value, UnreadablePayloadError)
    assert (caught.value.key_id, caught.value.retryable) == ("k1", True)


def test_another_key_of_the_same_id_opens_nothing() -> None:
    with pytest.raises(UnreadablePayloadError, match="does not open it"):
        sealed_by([("k1", NEW)]).open(_of(K1).seal(TEXT, HERE), "text", "job_1")


def test_keys_rotate_while_texts_are_there() -> None:
    old = _of(K1).seal(TEXT, HERE)
    for keys, first in ((f"{K1},{K2}", "k1"), (f"{K2},{K1}", "k2"), (f",{K1}", "")):
        assert _of(keys).first == first
        assert _of(keys).open(old, "text", "job_1") == TEXT
    assert _of(f"{K1},{K2}").open(_of(f"{K2},{K1}").seal(TEXT, HERE), "text", "job_1") == TEXT


def test_an_empty_first_entry_opens_and_seals_nothing() -> None:
    assert _of(f",{K1}").seal(TEXT, HERE) == TEXT
    assert _of(f",{K1}").keyed("abc") == "abc"


def test_digests_are_keyed_by_the_key_that_seals_and_found_by_each() -> None:
    """What one process keeps is found by another one, at each step of a rotation."""
    digest, steps = "0123456789abcdef", ("", K1, f"{K1},{K2}", f"{K2},{K1}", f",{K2},{K1}")
    assert len({_of(K1).keyed(digest), _of(K2).keyed(digest), digest}) == 3
    assert _of("").names_of(digest) == [digest]
    for before, after in pairwise(steps):
        for here, there in ((before, after), (after, before)) if before else ((before, after),):
            assert _of(here).keyed(digest) in _of(there).names_of(digest)
    assert {len(name) for name in _of(f"{K2},{K1}").names_of(digest)} == {16}


SECRET = b64encode(bytes(31)).decode()
WRONG = [
    "k1",
    f"k1:{SECRET}",
    "k1:***",
    ":" + K1[3:],
    f"k 1:{K1[3:]}",
    f"{'k' * 33}:{K1[3:]}",
    f"{K1},{K1}",
    ",",
    f"{K1},",
]


@pytest.mark.parametrize("given", WRONG)
def test_wrong_keys_are_refused_and_not_shown(given: str) -> None:
    with pytest.raises(SettingsError, match="PAYLOAD_KEYS: its value is not a comma list of ID:BASE64") as caught:
        read_settings({"PAYLOAD_KEYS": given})
    assert K1[3:] not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_keys_are_secrets_of_the_settings() -> None:
    settings = read_settings({"PAYLOAD_KEYS": f"{K2},{K1}"})
    assert {K1[3:], K2[3:]} <= set(settings.secret_values)
    assert K1[3:] not in repr(settings)
    assert K1[3:] not in repr(EmitterSettings(payload_keys=K1))


def test_two_ways_to_encrypt_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="PAYLOAD_KEYS and PAYLOAD_CODEC both"):
        read_settings({"PAYLOAD_KEYS": K1, "PAYLOAD_CODEC": "my.kms:codec"})


def test_what_stays_plain_is_named() -> None:
    assert read_settings({"PAYLOAD_PLAIN": "memory, offload"}).payload_plain == "memory,offload"
    with pytest.raises(SettingsError, match="PAYLOAD_PLAIN: 'logs' is not a comma list of memory, offload"):
        read_settings({"PAYLOAD_PLAIN": "logs"})
    assert Settings().payload_plain == ""


class Backwards:
    """A codec of a deployment's own."""

    digest_key = b"key"

    def __init__(self) -> None:
        self.unwrapped, self.is_away = 0, False

    async def ready(self) -> None:
        if self.is_away:
            raise OSError("no answer")
        self.unwrapped += 1

    def seal(self, data: bytes, context: PayloadContext) -> bytes:
        return context.tenant.encode() + data[::-1]

    def open(self, data: bytes, context: PayloadContext) -> bytes:
        return data.removeprefix(context.tenant.encode())[::-1]


backwards = Backwards()


async def test_an_object_of_ones_own_seals() -> None:
    sealing = sealing_of("", f"{__name__}:backwards")
    await sealing.ready()
    await sealing.ready()
    sealed = sealing.seal(TEXT, HERE)
    assert sealed.startswith("sealed:codec:")
    assert sealing.open(sealed, "text", "job_1") == TEXT
    assert backwards.unwrapped == 1
    assert sealing.keyed("abc") != "abc"


async def test_a_codec_without_its_keys_is_a_key_that_is_not_there() -> None:
    codec = Backwards()
    codec.is_away = True
    with pytest.raises(UnreadablePayloadError, match="the object of PAYLOAD_CODEC is not ready"):
        await Sealing({"codec": codec}, "codec").ready()


class Asking(Backwards):
    async def seal(self, data: bytes, context: PayloadContext) -> bytes:  # type: ignore[override]
        return data


class Named(Backwards):
    digest_key = "sk-0123456789"  # type: ignore[assignment]


asking, named = Asking(), Named()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        *(("no.such.module:codec", "ModuleNotFoundError"), (f"{__name__}:nothing", "AttributeError")),
        *((f"{__name__}:", "AttributeError"), (f"{__name__}", "AttributeError")),
        ("tests.unit.baton_events.broken_codec:codec", "cannot be loaded: ZeroDivisionError"),
        *((f"{__name__}:TEXT", "no method 'ready'"), (f"{__name__}:Backwards", "is a class: name an object of it")),
        *((f"{__name__}:asking", "'seal' that is async"), (f"{__name__}:named", "a digest_key of str: give bytes")),
    ],
)
def test_an_object_that_is_no_codec_is_refused(name: str, says: str) -> None:
    with pytest.raises(SettingsError, match="PAYLOAD_CODEC") as refused:
        sealing_of("", name)
    assert says in str(refused.value)
    assert "sk-0123456789" not in str(refused.value)


def _raises(error: BaseException) -> Callable[..., Any]:
    def method(*_: Any) -> Any:
        raise error

    return method


ODD_METHODS: tuple[Callable[..., Any], ...] = (
    *(_raises(error) for error in (ValueError(TEXT), SystemExit(3), MemoryError(), TimeoutError())),
    *(lambda *_: "text", lambda *_: None, lambda *_: 7, lambda *_: [1]),
)


@pytest.mark.parametrize("method", ODD_METHODS)
def test_what_a_codec_raises_or_gives_is_a_text_that_waits(method: Callable[..., Any]) -> None:
    codec = Backwards()
    sealing = Sealing({"codec": codec}, "codec")
    sealed = sealing.seal(TEXT, HERE), sealing.seal_bytes(b"abc", HERE)
    codec.seal = codec.open = method  # type: ignore[method-assign]
    for use in (
        *(lambda: sealing.seal(TEXT, HERE), lambda: sealing.seal_bytes(b"abc", HERE)),
        *(lambda: sealing.open(sealed[0], "text", "job_1"), lambda: sealing.open_bytes(sealed[1], "text", "job_1")),
    ):
        with pytest.raises(UnreadablePayloadError, match="the object of PAYLOAD_CODEC does not") as raised:
            use()
        assert TEXT not in str(raised.value)


def test_what_a_codec_opens_is_a_text_or_waits() -> None:
    codec = Backwards()
    sealing = Sealing({"codec": codec}, "codec")
    sealed = sealing.seal(TEXT, HERE)
    for given in (bytearray(b"a"), memoryview(b"a")):
        codec.open = lambda *_, given=given: given  # type: ignore[method-assign]
        assert sealing.open(sealed, "text", "job_1") == "a"
    codec.open = lambda *_: b"\xff"  # type: ignore[method-assign]
    with pytest.raises(UnreadablePayloadError, match="does not open it"):
        sealing.open(sealed, "text", "job_1")


async def test_a_codec_may_be_ready_at_once() -> None:
    codec = Backwards()
    codec.ready = lambda: None  # type: ignore[method-assign, assignment, return-value]
    await Sealing({"codec": codec}, "codec").ready()


def test_nothing_of_the_extra_is_imported_without_the_setting() -> None:
    code = (
        "import sys; import baton.server.app; from baton.settings.settings import Settings;"
        "from baton.worker.wiring import real_ports; real_ports(Settings());"
        "from baton_events.sealing import sealing_of; sealing_of('', '');"
        "assert 'cryptography.hazmat.primitives.ciphers.aead' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
