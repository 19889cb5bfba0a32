"""ngrok, as its agent's local API reports it (https://ngrok.com/docs/agent/api). Never downloads or configures it."""

import re
import shutil
from collections.abc import Mapping
from typing import Any

import httpx

from baton_events.setting import is_loopback
from baton_local.dev.stack_error import StackError

API_URL = "http://127.0.0.1:4040"
_LIMIT_SECONDS = 3.0
_PORT = re.compile(r"(?:^|:)(\d+)/?$")


class Agent:
    """The agent that answers at this address, if one does."""

    def __init__(self, api_url: str) -> None:
        self._url = f"{api_url}/api/tunnels"

    async def tunnels(self) -> dict[str, str] | None:
        """Return public addresses, and what each leads to; None: no agent runs.

        Raises:
            StackError: something else answers there.
        """
        try:
            async with httpx.AsyncClient(timeout=_LIMIT_SECONDS, trust_env=False) as client:
                response = await client.get(self._url, headers={"Accept": "application/json"})
                return _tunnels(response.raise_for_status().json()["tunnels"])
        except (httpx.ConnectError, httpx.TimeoutException):
            return None
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StackError(f"{self._url} does not answer as ngrok does: name its API with --ngrok-api URL") from error

    async def address_of(self, port: int) -> str | None:
        """Return the public address that leads to this port; None: no agent runs, or it has not connected yet.

        Raises:
            StackError: there are tunnels, and none leads there.
        """
        tunnels = await self.tunnels()
        if not tunnels:
            return None
        found = [public for public, local in tunnels.items() if _leads_to(local, port)]
        if found:
            return found[0]
        others = ", ".join(f"{public} → {local}" for public, local in tunnels.items())
        raise StackError(
            f"ngrok runs, and does not lead to port {port} ({others}): start it with `ngrok http {port}`, or name the "
            "port that it leads to with --port"
        )


def command_of(port: int, search_path: str | None = None) -> tuple[str, ...]:
    """Return what starts ngrok.

    Raises:
        StackError: it is not installed.
    """
    program = shutil.which("ngrok", path=search_path)
    if program is None:
        raise StackError(
            "ngrok does not run, and is not on PATH: install it (https://ngrok.com/download) and log in once with "
            "`ngrok config add-authtoken TOKEN`; or open any other tunnel, set WORKER_BASE_URL, run `baton setup`"
        )
    return (program, "http", str(port), "--log", "stdout")


def _tunnels(found: Any) -> dict[str, str]:
    """Return those that a queue can use: https, but for an address of this machine."""
    addresses: Mapping[str, str] = {each["public_url"]: str(each["config"]["addr"]) for each in found}
    return {public.rstrip("/"): local for public, local in addresses.items() if _usable(public)}


def _usable(public: str) -> bool:
    return public.startswith("https://") or (public.startswith("http://") and is_loopback(public))


def _leads_to(local: str, port: int) -> bool:
    """Return whether it leads to the port: `http://localhost:8090`, `localhost:8090`, `8090`."""
    found = _PORT.search(local)
    return found is not None and int(found[1]) == port
