import pytest

from baton_local.qstash.delivery.http_delivery import Place, target_of


@pytest.mark.parametrize(
    ("url", "place", "request_target", "host"),
    [
        ("http://a.example", Place("a.example", 80, secure=False), "/", "a.example"),
        ("https://a.example:8443/x", Place("a.example", 8443, secure=True), "/x", "a.example:8443"),
        ("HTTPS://A.example/%2Fx/../y", Place("a.example", 443, secure=True), "/%2Fx/../y", "a.example"),
        ("http://a.example?q=%20&r=/", Place("a.example", 80, secure=False), "/?q=%20&r=/", "a.example"),
        ("http://a.example/x#part", Place("a.example", 80, secure=False), "/x", "a.example"),
        ("http://[::1]:9/x", Place("::1", 9, secure=False), "/x", "[::1]:9"),
        ("http://bücher.example/ü", Place("xn--bcher-kva.example", 80, secure=False), "/ü", "xn--bcher-kva.example"),
        ("http://u:p@a.example/x//y", Place("a.example", 80, secure=False), "/x//y", "a.example"),
    ],
)
def test_url_says_where_to_connect_and_what_to_request(url: str, place: Place, request_target: str, host: str) -> None:
    """Path and query as given; only what stays with the caller is left out."""
    target = target_of(url)
    assert (target.place, target.request_target, target.host_header) == (place, request_target, host)


@pytest.mark.parametrize("url", ["ftp://a/", "//a/x", "http:///x", "http://a b/", "http://a/\nx", "http://a:99999/"])
def test_url_that_nothing_can_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        target_of(url)
