"""The chat page and its files; they hold nothing secret, and call the public API.

A key opens the one other thing that is here: the names of the agents, for the page's list.

Invariant: under its content policy the page runs files of this host only, and sends requests to no other.
"""

from functools import cache, partial
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from baton.server.api.auth import Keys
from baton.server.api.problem import ApiError
from baton.worker.container import Container

_STATIC = files("baton.server.web") / "static"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PAGE, AGENTS = "chat.html", "agents.json"
NAMES = (_PAGE, "chat.css", "chat.js", "baton.js", "markdown.js", "marked.js")
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def web_routes(container: Container, keys: Keys) -> list[Route]:
    files = partial(file, container, keys)
    return [Route("/chat", page, methods=["GET"]), Route("/chat/{name}", files, methods=["GET"])]


async def page(_request: Request) -> Response:
    return _answer(_PAGE)


async def file(container: Container, keys: Keys, request: Request) -> Response:
    """Serve `GET /chat/{name}`: a file of the page, or for a key the names of the agents."""
    name = request.path_params["name"]
    if name == AGENTS:
        await keys.authenticate(request)
        return JSONResponse([agent.name for agent in container.registry.agents], headers={"cache-control": "no-store"})
    if name not in NAMES:
        raise ApiError(404, f"there is no file {name!r} here; there are {', '.join(NAMES)}")
    return _answer(name)


def _answer(name: str) -> Response:
    headers = {"content-security-policy": CONTENT_SECURITY, "cache-control": "no-cache"}
    return Response(_bytes(name), media_type=_TYPES[name.rsplit(".", 1)[1]], headers=headers)


@cache
def _bytes(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
