"""A function's own URL as Lambda knows it: functions learn it from their requests, so no deployment has to tell them.

The domain name is the one by which Lambda chose the function (`requestContext.domainName`), not what a client says in a
header. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

import re

from starlette.types import Scope

_FUNCTION_URL = r"[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws"


def lambda_url(scope: Scope) -> str:
    """`https://….lambda-url.REGION.on.aws` of the function that is asked; empty behind anything but a function URL."""
    domain = scope.get("aws.event", {}).get("requestContext", {}).get("domainName", "")
    return f"https://{domain}" if re.fullmatch(_FUNCTION_URL, domain) else ""
