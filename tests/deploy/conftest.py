"""What is made once for all tests of this folder: the template of a stage, the bundles, the runtime client."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.bundles import Bundle, made_bundle
from tests.deploy.cloud_template import CloudTemplate, cloud_template
from tests.deploy.lambda_function import runtime_client


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> CloudTemplate:
    """What is deployed as stage `dev` by somebody whose .env has secrets as well."""
    secrets = "QSTASH_TOKEN=told-nobody\nUPSTASH_REDIS_REST_TOKEN=told-nobody\nOPERATIONS_API_KEY=told-nobody\n"
    return cloud_template(tmp_path_factory.mktemp("dev"), "--stage", "dev", dotenv=secrets)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """The bundle without model libraries, for this machine and unpacked."""
    yield from _bundle(tmp_path_factory, "baton")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    """The one with them: 20,000 files, so only long tests ask for it."""
    yield from _bundle(tmp_path_factory, "baton-models")


@pytest.fixture
def bundles(request: pytest.FixtureRequest, small: Bundle) -> dict[str, Bundle]:
    """Both, by name. A quick test has the small one twice: its agents call no provider."""
    long = request.node.get_closest_marker("long") is not None
    return {"baton": small, "baton-models": request.getfixturevalue("models") if long else small}


def _bundle(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[Bundle]:
    work = tmp_path_factory.mktemp(name)
    yield made_bundle(work, name)
    shutil.rmtree(work)  # pytest would keep those of three runs


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lambda's runtime client, and nothing else."""
    return runtime_client(tmp_path_factory.mktemp("runtime"))
