"""Words that no server should take at their word: bodies, paths, requests, expressions."""

DEEP = b"[" * 200_000
BAD_JSON = (b"{", b"\xff\xfe", b"[1,", DEEP, b"nul", b'"\\ud800', b"")
PATH_TRICKS = (
    "/../../etc/passwd",
    "/v2/../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc//passwd",
    "/v2/keys%00",
    "/\\..\\..\\windows",
    "/v2/dlq/..%2f..%2fkeys",
    "/%ff%fe",
    "/" + "a" * 60_000,
    "/" + "a/" * 20_000,
)
NOT_HTTP = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"POST / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"\x00" * 1_000 + b"\r\n\r\n",
)
AMBIGUOUS = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
)
