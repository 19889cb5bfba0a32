"""A function's own URL: from what Lambda says, never from a header."""

from typing import Any

import pytest

from baton.runtime.webhook import lambda_url

OWN = "abcdefghij0123456789.lambda-url.eu-central-1.on.aws"


def scope(domain: str) -> dict[str, Any]:
    return {"headers": [[b"host", b"claimed.lambda-url.eu-central-1.on.aws"]], "aws.event": _event(domain)}


def _event(domain: str) -> dict[str, Any]:
    return {"requestContext": {"domainName": domain}} if domain else {}


def test_behind_a_function_url_it_is_the_domain_that_lambda_names() -> None:
    assert lambda_url(scope(OWN)) == f"https://{OWN}"


@pytest.mark.parametrize(
    "domain", ["", "api.example.com", "id.execute-api.eu-central-1.amazonaws.com", f"{OWN}.example.com", f"x.{OWN}"]
)
def test_behind_anything_else_there_is_none(domain: str) -> None:
    assert lambda_url(scope(domain)) == ""


def test_a_host_that_is_not_lambda_has_none() -> None:
    assert lambda_url({"headers": [[b"host", OWN.encode()]]}) == ""
