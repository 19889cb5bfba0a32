"""The pytest plugin `baton`: loaded in every project that has Baton installed, so it must cost and touch nothing there.

Invariant: importing this module imports nothing else of ours; that happens when the first fixture is used. A server is
started when the first test asks for it, serves the whole run, and is emptied before each test that uses it. What is set
in the environment for a test ends with the test.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from baton.sdk.agents.registry import Registry
    from baton.sdk.models.model import Model
    from baton.testing import Simulation
    from baton_local.fixtures.agent_app import AgentApp
    from baton_local.fixtures.network import LocalProxy
    from baton_local.fixtures.servers import QStashFaults, QStashServer, RedisServer, RequestFaults, VectorServer
    from baton_local.replay.recorded import Recording
    from baton_local.replay.recorded_pydantic_ai import RecordedModel


@pytest.fixture(scope="session")
def qstash_options() -> Sequence[str]:
    """Options of `baton qstash` for this run; override it, as in `return ["--time-scale", "60"]`."""
    return ()


@pytest.fixture(scope="session")
def redis_options() -> Sequence[str]:
    """Options of `baton redis` for this run; override it."""
    return ()


@pytest.fixture(scope="session")
def vector_options() -> Sequence[str]:
    """Options of `baton vector` for this run; override it, as in `return ["--dimension", "1536"]`."""
    return ()


@pytest.fixture(scope="session")
def qstash_process(tmp_path_factory: pytest.TempPathFactory, qstash_options: Sequence[str]) -> Iterator["QStashServer"]:
    """The QStash server of the run, as it is: nothing is emptied, no environment is set."""
    options = ("--no-sync", *qstash_options)
    with _running("qstash", "QSTASH_NEXT_SIGNING_KEY", options, tmp_path_factory) as exports:
        from baton_local.fixtures.servers import QStashServer

        yield QStashServer.from_exports(exports)


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory, redis_options: Sequence[str]) -> Iterator["RedisServer"]:
    """The Redis server of the run, as it is: nothing is emptied, no environment is set."""
    with _running("redis", "UPSTASH_REDIS_REST_TOKEN", redis_options, tmp_path_factory) as exports:
        from baton_local.fixtures.servers import RedisServer

        yield RedisServer.from_exports(exports)


@pytest.fixture(scope="session")
def vector_process(tmp_path_factory: pytest.TempPathFactory, vector_options: Sequence[str]) -> Iterator["VectorServer"]:
    """The vector server of the run, as it is: nothing is emptied, no environment is set."""
    with _running("vector", "UPSTASH_VECTOR_REST_TOKEN", vector_options, tmp_path_factory) as exports:
        from baton_local.fixtures.servers import VectorServer

        yield VectorServer.from_exports(exports)


@pytest.fixture
def qstash_server(qstash_process: "QStashServer", monkeypatch: pytest.MonkeyPatch) -> Iterator["QStashServer"]:
    """An empty QStash, with `QSTASH_URL`, `QSTASH_TOKEN` and the signing keys set for the official SDKs."""
    qstash_process.reset()
    _set_environment(monkeypatch, qstash_process.env)
    yield qstash_process
    qstash_process.reset()  # what it still had to deliver must not reach the next test's endpoints


@pytest.fixture
def redis_server(redis_process: "RedisServer", monkeypatch: pytest.MonkeyPatch) -> "RedisServer":
    """An empty Redis, with `UPSTASH_REDIS_REST_URL` and `…_TOKEN` set for the official SDKs."""
    redis_process.reset()
    _set_environment(monkeypatch, redis_process.env)
    return redis_process


@pytest.fixture
def vector_server(vector_process: "VectorServer", monkeypatch: pytest.MonkeyPatch) -> "VectorServer":
    """An empty vector index, with `UPSTASH_VECTOR_REST_URL` and `…_TOKEN` set for the official SDKs."""
    vector_process.reset()
    _set_environment(monkeypatch, vector_process.env)
    return vector_process


@pytest.fixture
def qstash_faults(qstash_server: "QStashServer") -> Iterator["QStashFaults"]:
    """Faults of deliveries on demand: lost answers, delays, duplicates, reordering, failures, a wrong clock."""
    from baton_local.fixtures.servers import QStashFaults

    faults = QStashFaults(qstash_server)
    yield faults
    faults.clear()


@pytest.fixture
def redis_faults(redis_server: "RedisServer") -> Iterator["RequestFaults"]:
    """Faults of requests on demand: refusals, lost answers, delays."""
    from baton_local.fixtures.servers import RequestFaults

    faults = RequestFaults(redis_server)
    yield faults
    faults.clear()


@pytest.fixture
def vector_faults(vector_server: "VectorServer") -> Iterator["RequestFaults"]:
    """Faults of requests on demand: refusals, lost answers, delays."""
    from baton_local.fixtures.servers import RequestFaults

    faults = RequestFaults(vector_server)
    yield faults
    faults.clear()


@pytest.fixture
def local_proxy() -> Iterator["LocalProxy"]:
    """A proxy on this machine that a test turns off and on, or lets hang: `agent_app(…, **local_proxy.env)`."""
    from baton_local.fixtures.network import LocalProxy

    proxy = LocalProxy()
    yield proxy
    proxy.off()


@pytest.fixture(scope="session")
def odd_lambda_events() -> Mapping[str, Any]:
    """Events that are no HTTP request, by name: a function of yours has to report each, and to serve the next one."""
    from baton_local.fixtures.lambda_events import ODD_EVENTS

    return ODD_EVENTS


@pytest.fixture
def agent_app(
    qstash_server: "QStashServer",
    redis_server: "RedisServer",
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator["Callable[..., AgentApp]"]:
    """Starts your agents on the two servers: `agent_app("my_company.agents:registry", SETTING="value", …)`."""
    from baton_local.fixtures.agent_app import AgentApp

    started: list[AgentApp] = []

    def start(registry: str, **settings: str) -> AgentApp:
        servers = {**qstash_server.env, **redis_server.env}
        project, folder = request.config.invocation_params.dir, tmp_path_factory.mktemp("agent-app")
        started.append(AgentApp(registry, project, folder, {**servers, **settings}))
        started[-1].start()
        return started[-1]

    yield start
    for app in started:
        app.stop()


@pytest.fixture
def baton_simulation() -> "Callable[..., Simulation]":
    """Makes a `Simulation` of your agents: `baton_simulation(registry, seed=0, fresh=None)`; see `baton.testing`."""
    from baton.testing import Simulation

    return Simulation


def replay_recording(recording: "str | Path | Mapping[str, Any]", registry: "Registry") -> None:
    """Fail with the first difference, if a recorded job would be decided otherwise by these agents.

    `recording`: a file that `baton replay JOB --offline --save FILE` has written, or its document. No model is asked,
    no tool runs, no connection is opened. For tests that are async, too.
    """
    __tracebackhide__ = True
    from baton_local.replay.recorded import ReplayError
    from baton_local.replay.replaying import replay_now

    try:
        difference = replay_now(_read(recording), registry).difference
    except ReplayError as error:
        pytest.fail(str(error), pytrace=False)
    if difference is not None:
        pytest.fail(str(difference), pytrace=False)


def recorded_model(recording: "str | Path | Mapping[str, Any]", agent: str = "") -> "Model":
    """Make a model that answers turn by turn as it did in a recorded job, while your tools run.

    `agent`: whose job it was, where the recording has jobs of several.
    """
    from baton_local.replay.recorded import job_of_agent
    from baton_local.replay.recorded_agents import RecordedTurns

    return RecordedTurns(job_of_agent(_read(recording).job, agent))


def recorded_pydantic_ai_model(recording: "str | Path | Mapping[str, Any]", agent: str = "") -> "RecordedModel":
    """Make the same for an agent of pydantic-ai: `with agent.override(model=recorded_pydantic_ai_model(…)):`."""
    from baton_local.replay.recorded import job_of_agent
    from baton_local.replay.recorded_pydantic_ai import RecordedModel

    job = job_of_agent(_read(recording).job, agent)
    return RecordedModel(job.id, [entry for entry in job.transcript if entry.get("role") == "model"])


def _read(recording: "str | Path | Mapping[str, Any]") -> "Recording":
    from baton_local.replay.recorded import read_file, read_recording

    if isinstance(recording, Mapping):
        return read_recording(json.dumps(recording), "the recording")
    return read_file(Path(recording))


@contextmanager
def _running(
    name: str, last_export: str, options: Sequence[str], folders: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    from baton_local.fixtures.stand_in_process import StandInProcess

    folder = folders.mktemp(f"baton-{name}")
    process = StandInProcess(f"baton_local.{name}", folder, last_export, ("--faults", *options))
    process.start()
    try:
        yield process.exports
    finally:
        process.stop()


def _set_environment(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
    from baton_local.dev.environment import NO_PROXY, no_proxy

    for name, value in env.items():
        monkeypatch.setenv(name, value)
    hosts = no_proxy()
    for name in NO_PROXY:
        monkeypatch.setenv(name, hosts)
