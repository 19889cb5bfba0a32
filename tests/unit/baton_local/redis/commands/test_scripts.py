import pytest

from baton_local.redis.commands.prepare import ScriptMap, sha1_hex, without_key_locking


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"#!lua flags=allow-key-locking\nreturn 1", b"#!lua\nreturn 1"),
        (b"#!lua flags=no-writes,allow-key-locking\nx", b"#!lua flags=no-writes\nx"),
        (b"#!lua flags=allow-key-locking,no-writes,allow-oom\nx", b"#!lua flags=no-writes,allow-oom\nx"),
        (b"#!lua name=n flags=allow-key-locking\r\nx", b"#!lua name=n\r\nx"),
        (b"#!lua flags=allow-key-locking", b"#!lua"),
        (b"#!lua flags=allow-key-locking-2\nx", b"#!lua flags=allow-key-locking-2\nx"),
        (b"#!lua\n-- flags=allow-key-locking", b"#!lua\n-- flags=allow-key-locking"),
        (b" #!lua flags=allow-key-locking\nx", b" #!lua flags=allow-key-locking\nx"),
        (b"return 'allow-key-locking'", b"return 'allow-key-locking'"),
        (b"", b""),
    ],
)
def test_only_the_flag_of_a_leading_shebang_is_removed(script: bytes, expected: bytes) -> None:
    assert without_key_locking(script) == expected


def test_the_clients_hash_leads_to_the_loaded_one() -> None:
    scripts = ScriptMap()
    flagged, plain = b"#!lua flags=allow-key-locking\nreturn 1", b"#!lua\nreturn 1"
    assert scripts.loaded_sha(sha1_hex(flagged)) == sha1_hex(flagged)
    assert scripts.translate(flagged) == plain
    assert scripts.translate(flagged) == plain
    assert scripts.loaded_sha(sha1_hex(flagged).upper()) == sha1_hex(plain)
    assert scripts.loaded_sha(b"F" * 40) == b"F" * 40


def test_the_map_forgets_the_oldest_scripts() -> None:
    """Bounded; a forgotten one is NOSCRIPT, which every client handles."""
    scripts = ScriptMap(limit=2)
    texts = [b"#!lua flags=allow-key-locking\nreturn %d" % number for number in range(3)]
    for text in texts:
        scripts.translate(text)
    assert scripts.loaded_sha(sha1_hex(texts[0])) == sha1_hex(texts[0])
    assert scripts.loaded_sha(sha1_hex(texts[2])) != sha1_hex(texts[2])
    assert scripts.translate(texts[0]) == b"#!lua\nreturn 0"
    assert scripts.loaded_sha(sha1_hex(texts[0])) == sha1_hex(b"#!lua\nreturn 0")
