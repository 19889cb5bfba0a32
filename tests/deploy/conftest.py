"""What is made once for all tests of this folder: the template of a stage, the bundles, the runtime client."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.bundles import Bundle, made_bundles
from tests.deploy.cloud_template import CloudTemplate, cloud_template
from tests.deploy.lambda_function import runtime_client


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> CloudTemplate:
    """What is deployed as stage `dev` by somebody whose .env has secrets as well."""
    secrets = "QSTASH_TOKEN=told-nobody\nUPSTASH_REDIS_REST_TOKEN=told-nobody\nOPERATIONS_API_KEY=told-nobody\n"
    return cloud_template(tmp_path_factory.mktemp("dev"), "--stage", "dev", dotenv=secrets)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Bundle]]:
    """Both bundles for this machine, unpacked; taken away afterwards, since pytest would keep them of three runs."""
    work = tmp_path_factory.mktemp("bundles")
    yield made_bundles(work)
    shutil.rmtree(work)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lambda's runtime client, and nothing else."""
    return runtime_client(tmp_path_factory.mktemp("runtime"))
