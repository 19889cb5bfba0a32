"""Puts the parts together over a data folder, and serves them in the foreground until a signal.

The only module that builds real adapters: settings in, a running application out. Invariant: one server process per
folder, for the index in memory is the only one that knows the file.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from baton_local.stand_in.asgi import App
from baton_local.stand_in.folder import DataFolderError, lock_folder, token_of
from baton_local.stand_in.http_server import listen, serve_until
from baton_local.vector.core.index import Index
from baton_local.vector.embeddings import DEFAULT_DIMENSION, EmbedderError, EmbeddingModel, hashing_model, load_model
from baton_local.vector.engine import Engine, Surroundings, System
from baton_local.vector.settings import HASHING_EMBEDDER, NO_EMBEDDER, Settings
from baton_local.vector.store import Store, keep_shape, open_database
from baton_local.vector.wire.admin import Faults
from baton_local.vector.wire.app import Api, Tokens


class DataFolder:
    """Held for this process from construction until `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_folder(path)
        except OSError as error:
            raise DataFolderError(f"cannot use {path} as data folder: {error}; name another with --data") from None

    @property
    def database_path(self) -> Path:
        """Where the records are."""
        return self.path / "vector.db"

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._lock)


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: the application to serve, and the token that callers need."""

    app: App
    token: str


@asynccontextmanager
async def running(settings: Settings, surroundings: Surroundings | None = None) -> AsyncIterator[Running]:
    """Yield a server over the data folder for the time of the block.

    Raises:
        EmbedderError: the model cannot be used.
        DataFolderError: the folder is in use, cannot be used, or holds an index of another shape.
    """
    surroundings = surroundings or System()
    with ExitStack() as opened:
        folder = DataFolder(settings.data)
        opened.callback(folder.release)
        token = settings.token or token_of(folder.path)
        model = _model_of(settings)
        dimension = model.dimension if model else settings.dimension or DEFAULT_DIMENSION
        connection = open_database(folder.database_path)
        opened.callback(connection.close)
        name = model.name if model else ""
        keep_shape(connection, folder.path, dimension, name)
        store = Store(connection)
        index = Index(dimension, name)
        for change in store.load():
            index.apply(change)
        engine = Engine(index, store, model, surroundings, settings)
        faults = Faults() if settings.faults else None
        api = Api(engine, Tokens(token, settings.read_only_token), faults, settings.proof)
        try:
            yield Running(api if faults is None else faults.around(api), token)
        finally:
            await engine.stop()


def _model_of(settings: Settings) -> EmbeddingModel | None:
    if settings.embedder == NO_EMBEDDER:
        return None
    if settings.embedder == HASHING_EMBEDDER:
        return hashing_model(settings.dimension or DEFAULT_DIMENSION)
    model = load_model(settings.embedder)
    if settings.dimension not in {None, model.dimension}:
        raise EmbedderError(
            f"the embedder {model.name} makes vectors of dimension {model.dimension}, not {settings.dimension}; "
            "leave --dimension out or name another --embedder"
        )
    return model


Ready = Callable[[str, str], None]


def serve(settings: Settings, on_ready: Ready) -> int:
    """Run until SIGTERM or SIGINT; `on_ready` gets the URL and the token once requests would succeed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Ready) -> int:
    listener, url = listen(settings.host, settings.port)
    async with running(settings) as ready:
        await serve_until(asyncio.Event(), ready.app, listener, lambda: on_ready(url, ready.token))
    return 0
