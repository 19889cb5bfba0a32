"""Where a recording comes from: the API of a deployment, or of a local stack that `dev.json` describes."""

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

from infra.dev.dev_file import DEV_FILE_NAME
from infra.replay.replay_error import ReplayError

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Source:
    """`url` and `key` of an API; without them the stack of this data folder."""

    url: str | None
    key: str | None
    data: Path


def fetched(job_id: str, source: Source) -> str:
    """The job's recording as JSON text.

    Raises:
        ReplayError: there is no such API, or it refuses; the reason is its own.
    """
    url, key = (source.url, source.key) if source.url and source.key else _of_local_stack(source)
    address = f"{url.rstrip('/')}/api/agent-jobs/{quote(job_id, safe='')}/recording"
    try:
        response = httpx.get(address, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ReplayError(f"no answer from {address}: {str(error) or type(error).__name__}") from error
    if response.is_success:
        return response.text
    raise ReplayError(f"{address} answered {response.status_code}: {_detail(response)}")


def _of_local_stack(source: Source) -> tuple[str, str]:
    path = source.data / DEV_FILE_NAME
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
        return stack["app_url"], source.key or stack["admin_key"]
    except FileNotFoundError as error:
        raise ReplayError(
            f"there is no {path}: start `baton dev --data {source.data}`, or name another API with --url and --key"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{path} cannot be read: {type(error).__name__}: {error}") from error


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
