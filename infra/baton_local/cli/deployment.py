"""Which deployment a command talks to, and how: the API over HTTP with a key, as any client has it.

Invariant: whatever goes wrong is one line for people (StackError) that says what was asked, what was answered, and what
to do; the key is in no message.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
import httpx

from baton_local.dev.data_folder import DEV_FILE_NAME
from baton_local.dev.stack_error import StackError

DEFAULT_FOLDER = Path(".baton/dev")
_TIMEOUT_SECONDS = 60.0
_SHOWN_CHARS = 300


@dataclass(frozen=True, slots=True)
class Deployment:
    """An API and a key of it; the key is not shown."""

    url: str
    key: str = field(repr=False)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """GET, with the query's values that are not None."""
        return self.request("GET", path, query=query)

    def request(
        self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None, key: str = ""
    ) -> dict[str, Any]:
        """One request; the JSON object that answers it. `key`: an Idempotency-Key.

        Raises:
            StackError: no answer, or a refusal.
        """
        values = {name: value for name, value in (query or {}).items() if value is not None}
        headers = {"Idempotency-Key": key} if key else {}
        with self._reached(path) as client:
            response = client.request(method, path, json=body, params=values, headers=headers)
            _raise_refused(response)
            found: dict[str, Any] = response.json() if response.content else {}
            return found

    def text(self, path: str) -> str:
        """What answers a GET, as it is.

        Raises:
            StackError: no answer, or a refusal.
        """
        with self._reached(path) as client:
            response = client.get(path)
            _raise_refused(response)
            return response.text

    @contextmanager
    def lines(self, path: str, last_id: str) -> Iterator[Iterator[str]]:
        """The lines of an event stream, after the event with this id.

        Raises:
            StackError: a refusal.
            httpx.TransportError: the connection ended: come again.
        """
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with self._client() as client, client.stream("GET", path, headers=headers) as response:
            if not response.is_success:
                response.read()
            _raise_refused(response)
            yield response.iter_lines()

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT_SECONDS)

    @contextmanager
    def _reached(self, path: str) -> Iterator[httpx.Client]:
        try:
            with self._client() as client:
                yield client
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StackError(f"no answer from {self.url}{path}: {str(error) or type(error).__name__}") from error
        except ValueError as error:
            raise StackError(f"{self.url}{path} did not answer with JSON: is this the address of Baton?") from error


def _raise_refused(response: httpx.Response) -> None:
    """Raise StackError unless the request was accepted; it says why, as the API does."""
    if response.is_success:
        return
    request = response.request
    raise StackError(f"{request.method} {request.url} answered {response.status_code}: {_reason(response)}")


def _reason(response: httpx.Response) -> str:
    try:
        problem = response.json()
        faults = [f"{fault['field']}: {fault['message']}" for fault in problem.get("errors") or ()]
        return "; ".join(faults) or str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return response.text[:_SHOWN_CHARS]


def naming_deployment(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a deployment; the command gets them as `url`, `key` and `data`."""
    for option in (
        click.option(
            "--data",
            type=click.Path(file_okay=False, path_type=Path),
            default=DEFAULT_FOLDER,
            show_default=True,
            metavar="DIR",
            help="Without --url: the data folder of a running `baton dev`.",
        ),
        click.option("--key", metavar="KEY", envvar="BATON_API_KEY", help="An API key. [BATON_API_KEY]"),
        click.option(
            "--url", metavar="URL", envvar="BATON_URL", help="The API, such as https://x.example. [BATON_URL]"
        ),
    ):
        command = option(command)
    return command


def with_deployment(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name a deployment; the command's first argument is the `Deployment`."""

    @naming_deployment
    @wraps(command)
    def found(*arguments: Any, url: str | None, key: str | None, data: Path, **options: Any) -> None:
        command(deployment(url, key, data), *arguments, **options)

    return found


def deployment(url: str | None, key: str | None, data: Path) -> Deployment:
    """The named deployment, or the local stack of this data folder.

    Raises:
        StackError: there is none.
    """
    if url is not None:
        if not key:
            raise StackError("--url needs a key: add --key KEY, or set BATON_API_KEY")
        return Deployment(url.rstrip("/"), key)
    path = data / DEV_FILE_NAME
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
        return Deployment(stack["app_url"], key or stack["admin_key"])
    except FileNotFoundError as error:
        raise StackError(
            f"there is no {path}: start `baton dev --data {data}`, or name another API with --url and --key"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
