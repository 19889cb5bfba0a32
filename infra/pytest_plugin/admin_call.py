"""A request to a stand-in's own paths, past the SDKs; quick, since every test begins with one.

Must not be used for what a test is about. The HTTP library is loaded with the first call: the plugin is loaded in every
test run, also where nobody uses it.
"""

import json
from typing import Any

_LIMIT_SECONDS = 30.0
_SUCCESS = range(200, 300)


class AdminCallError(RuntimeError):
    """An answer that was not 2xx, by its `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def admin_call(url: str, token: str, method: str, path: str, body: Any = None) -> Any:
    """Make a request with the token; the JSON of the answer, None when it is empty.

    Raises:
        AdminCallError: the answer was not 2xx.
    """
    from http.client import HTTPConnection  # noqa: PLC0415 - see above

    connection = HTTPConnection(url.removeprefix("http://"), timeout=_LIMIT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status not in _SUCCESS:
        said = f"{method} {path} was answered {response.status}: {answer.decode('utf-8', 'replace')}"
        raise AdminCallError(response.status, said)
    return json.loads(answer) if answer else None
