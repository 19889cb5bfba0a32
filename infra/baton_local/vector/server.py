"""Puts the parts together: settings in, a running application out. The only module that builds real adapters."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from baton_local.stand_in.asgi import App
from baton_local.stand_in.folder import token_of
from baton_local.vector.core.index import Index
from baton_local.vector.embedding.hashing import DEFAULT_DIMENSION, hashing_model
from baton_local.vector.embedding.loading import load_model
from baton_local.vector.embedding.model import EmbedderError, EmbeddingModel
from baton_local.vector.engine import Engine
from baton_local.vector.settings import HASHING_EMBEDDER, NO_EMBEDDER, Settings
from baton_local.vector.storage.data_folder import DataFolder
from baton_local.vector.storage.schema import open_database
from baton_local.vector.storage.shape import keep_shape
from baton_local.vector.storage.store import Store
from baton_local.vector.surroundings import Surroundings, System
from baton_local.vector.wire.app import Api
from baton_local.vector.wire.auth import Tokens
from baton_local.vector.wire.faults import Faults


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: the application to serve, and the token that callers need."""

    app: App
    token: str


@asynccontextmanager
async def running(settings: Settings, surroundings: Surroundings | None = None) -> AsyncIterator[Running]:
    """A server over the data folder for the time of the block.

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
