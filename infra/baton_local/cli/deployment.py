"""Which deployment a command talks to, and how: the API over HTTP with a key, as any client has it.

Invariant: whatever goes wrong is one line for people (StackError) that says what was asked, what was answered, and what
to do; the key is in no message.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, cast

import click

from baton.client import ApiError, BatonClient, UnreachableError
from baton.sdk.records.stream_part import StreamPart
from baton_local.dev.data_folder import DEV_FILE_NAME
from baton_local.dev.stack_error import StackError

DEFAULT_FOLDER = Path(".baton/dev")
_PAGE = 100
# So long a stream may stay away in all, without a part in between: then the deployment is gone.
_FOLLOWED_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """An API and a key of it; the key is not shown."""

    url: str
    key: str = field(repr=False)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Send a GET, with the query's values that are not None."""
        return self.request("GET", path, query=query)

    def all(self, path: str, name: str, limit: int = sys.maxsize, **query: Any) -> list[dict[str, Any]]:
        """Return what the pages of a list have under this name, so many at most."""
        found, cursor = list[dict[str, Any]](), None
        while len(found) < limit:
            page = self.get(path, **query, limit=min(_PAGE, limit - len(found)), cursor=cursor)
            found += page[name]
            if (cursor := page.get("cursor")) is None:
                break
        return found

    def request(
        self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None, key: str = ""
    ) -> dict[str, Any]:
        """Return one request; the JSON object that answers it. `key`: an Idempotency-Key.

        Raises StackError: no answer, or a refusal.
        """
        with self._client() as client:
            return client.request(method, path, body=body, query=query, idempotency_key=key) or {}

    def recording(self, job_id: str) -> str:
        """Return a job with all answers of its models and tools, as it is.

        Raises StackError: no answer, or a refusal.
        """
        with self._client() as client:
            return client.recording(job_id)

    def parts(self, job_id: str) -> Iterator[StreamPart]:
        """Yield the job's parts as they come, from the first to the end of the stream, across lost connections.

        Raises StackError: there is no such job, or its API has gone away.
        """
        way_out = f"; the job continues. Watch it again: baton jobs show {job_id} --watch"
        with self._client(_FOLLOWED_SECONDS, way_out) as client:
            yield from (cast("StreamPart", part.raw) for part in client.stream(job_id))

    @contextmanager
    def _client(self, retry_seconds: float = 0, way_out: str = "") -> Iterator[BatonClient]:
        try:
            with BatonClient(self.url, self.key, retry_seconds=retry_seconds) as client:
                yield client
        except UnreachableError as error:
            raise StackError(f"{error}{way_out}") from error
        except (ApiError, ValueError) as error:
            raise StackError(str(error)) from error


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
    """Return the named deployment, or the local stack of this data folder.

    Raises StackError: there is none. UsageError: its key is missing.
    """
    if url is not None:
        if not key:
            raise click.UsageError("--url needs a key: add --key KEY, or set BATON_API_KEY")
        return Deployment(url.rstrip("/"), key)
    path = data / DEV_FILE_NAME
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
        if fault := stack.get("fault"):
            raise StackError(f"the app does not run: {fault}; mend it, and `baton dev` starts it again by itself")
        return Deployment(stack["app_url"], key or stack["admin_key"])
    except FileNotFoundError as error:
        raise StackError(
            f"there is no {path}: start `baton dev --data {data}`, or name another API with --url and --key"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
