import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import free_of_processes
from tests.unit.baton_local.pytest_plugin.strangers_project import StrangersProject
from tests.unit.baton_local.pytest_plugin.strangers_tests import ISOLATION, SERVICES

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path) -> StrangersProject:
    return StrangersProject(tmp_path)


def test_a_stranger_uses_all_three_servers_through_the_official_sdks(project: StrangersProject) -> None:
    """Nothing is configured: the environment is set for each test, and only for it."""
    project.write("test_services.py", SERVICES)
    project.passes(4)
    assert free_of_processes(project.folder)


@pytest.mark.long
def test_every_test_finds_empty_servers(project: StrangersProject) -> None:
    """Keys, messages, queues, records, rotated keys and faults of a test do not reach the next."""
    project.write("test_isolation.py", ISOLATION)
    project.passes(2)


@pytest.mark.long
def test_options_of_the_servers_can_be_chosen(project: StrangersProject) -> None:
    project.write(
        "test_options.py",
        """
        import pytest
        from qstash import QStash
        from upstash_vector import Index


        @pytest.fixture(scope="session")
        def qstash_options():
            return ["--time-scale", "3600"]


        @pytest.fixture(scope="session")
        def vector_options():
            return ["--dimension", "3", "--embedder", "none"]


        def test_a_message_that_fails_is_given_up_at_once(qstash_server):
            queue = QStash(qstash_server.token)
            queue.message.publish(url="http://127.0.0.1:9/", retries=2)
            qstash_server.wait_until_idle()
            assert len(queue.dlq.list().messages) == 1
            queue.http._client.close()


        def test_the_index_has_this_dimension(vector_server):
            index = Index.from_env()
            assert index.info().dimension == 3
            index._client.close()
        """,
    )
    project.passes(2)


def test_wrong_options_are_an_error_with_what_the_server_answered(project: StrangersProject) -> None:
    project.write(
        "test_options.py",
        """
        import pytest


        @pytest.fixture(scope="session")
        def redis_options():
            return ["--no-such-option"]


        def test_redis(redis_server):
            pass
        """,
    )
    done = project.run()
    assert "1 error" in done.stdout
    assert "unrecognized arguments: --no-such-option" in done.stdout


def test_a_project_that_does_not_use_it_pays_nothing(project: StrangersProject) -> None:
    """No server, no module of ours but the plugin itself, and none of the libraries that we need."""
    project.write(
        "test_nothing.py",
        """
        import sys


        def test_nothing(request):
            assert request.config.pluginmanager.hasplugin("baton")
            assert not {"baton", "baton_events"} & set(sys.modules)
            ours = [name for name in sys.modules if name.startswith("baton_local")]
            assert ours == ["baton_local", "baton_local.pytest_plugin"]
            assert not {"aiohttp", "click", "httpx", "pydantic", "rich", "uvicorn"} & set(sys.modules)
        """,
    )
    project.passes(1)
    assert not (project.folder / "temporary").exists()


@pytest.mark.long
@pytest.mark.parametrize("file", ["infra/__init__.py", "infra.py"])
def test_a_project_with_an_infra_of_its_own_runs_its_tests_as_before(project: StrangersProject, file: str) -> None:
    project.write(file, "def answer():\n    return 42\n")
    project.write("conftest.py", "import infra\n")
    project.write(
        "test_own.py",
        """
        from infra import answer


        def test_own(request):
            assert request.config.pluginmanager.hasplugin("baton")
            assert answer() == 42
        """,
    )
    project.passes(1)


@pytest.mark.long
@pytest.mark.parametrize(
    ("packages", "folder"),
    [(("events", "functions", "infra"), ""), (("baton", "baton_events", "baton_local"), "tests/")],
    ids=["frequent names", "our names in the folder in which tests are run"],
)
def test_a_projects_own_packages_hide_nothing(
    project: StrangersProject, packages: tuple[str, ...], folder: str
) -> None:
    """The servers start as everywhere, and none of these is imported."""
    for package in packages:
        project.write(f"{package}/__init__.py", "raise RuntimeError('this is the project, not Baton')")
    project.write(f"{folder}test_services.py", SERVICES)
    if folder:
        project.interpreter += ["-P"]  # as the command `pytest` does
    project.passes(4)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_a_killed_test_run_leaves_no_server(project: StrangersProject) -> None:
    project.write(
        "test_killed.py",
        """
        def test_killed(qstash_server, redis_server, vector_server):
            print("servers are up", flush=True)
            while True:
                pass
        """,
    )
    with subprocess.Popen(project.command("-s"), cwd=project.folder, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert any("servers are up" in line for line in run.stdout)
        assert not free_of_processes(project.folder)
        run.kill()
    for _ in range(1_000):
        if free_of_processes(project.folder):
            break
    assert free_of_processes(project.folder)
