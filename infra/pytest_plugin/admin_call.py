"""A request to a stand-in's own paths, past the SDKs.

Must not be used for what a test is about. The HTTP library is loaded with the first call: the plugin is loaded in every
test run, also where nobody uses it.
"""

from typing import Any

_LIMIT_SECONDS = 30.0


def admin_call(url: str, token: str, method: str, path: str, body: Any = None) -> Any:
    """Make a request with the token; the JSON of the answer, None when it is empty.

    Raises:
        RuntimeError: the answer was not 2xx.
    """
    import httpx  # noqa: PLC0415 - see above

    response = httpx.request(
        method,
        f"{url}{path}",
        headers={"Authorization": f"Bearer {token}"},
        json=body,
        timeout=_LIMIT_SECONDS,
        trust_env=False,
    )
    if response.is_error:
        raise RuntimeError(f"{method} {path} was answered {response.status_code}: {response.text}")
    return response.json() if response.content else None
