import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import free_of_processes
from tests.unit.infra.pytest_plugin.strangers_project import StrangersProject
from tests.unit.infra.pytest_plugin.strangers_tests import ISOLATION, SERVICES


@pytest.fixture
def project(tmp_path: Path) -> StrangersProject:
    """An empty project."""
    return StrangersProject(tmp_path)


def test_a_stranger_uses_all_three_servers_through_the_official_sdks(project: StrangersProject) -> None:
    """Nothing is configured: the environment is set for each test, and only for it."""
    project.write(
        "test_services.py",
        SERVICES,
    )
    done = project.run()
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert free_of_processes(project.folder)


def test_every_test_finds_empty_servers(project: StrangersProject) -> None:
    """Keys, messages, queues, records, rotated keys and faults of a test do not reach the next."""
    project.write(
        "test_isolation.py",
        ISOLATION,
    )
    done = project.run()
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_options_of_the_servers_can_be_chosen(project: StrangersProject) -> None:
    """By overriding a fixture, for the whole run."""
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
    done = project.run()
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_wrong_options_are_an_error_with_what_the_server_said(project: StrangersProject) -> None:
    """And not a test that waits."""
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
            assert not {"baton", "events", "functions", "infra"} & set(sys.modules)
            assert not {"aiohttp", "click", "httpx", "pydantic", "rich", "uvicorn"} & set(sys.modules)
        """,
    )
    done = project.run()
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert not (project.folder / "temporary").exists()


@pytest.mark.parametrize("file", ["infra/__init__.py", "infra.py"])
def test_a_project_with_an_infra_of_its_own_runs_its_tests_as_before(project: StrangersProject, file: str) -> None:
    """A frequent name: it is imported by the project alone."""
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
    done = project.run()
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["infra/__init__.py", "infra.py"])
def test_where_a_projects_own_infra_hides_ours_a_fixture_says_so(project: StrangersProject, file: str) -> None:
    """In one sentence, with the cause and the way out, for each server; other tests pass, and nothing is started."""
    project.write(file, "raise RuntimeError('nobody may import me to find out')")
    project.write(
        "test_servers.py",
        """
        import pytest


        @pytest.mark.parametrize("name", ["qstash", "redis", "vector"])
        def test_server(name, request):
            request.getfixturevalue(f"{name}_server")


        def test_other():
            pass
        """,
    )
    done = project.run()
    assert "3 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    hidden = (
        f"`infra`, which is hidden by this project's own ({project.folder / file}): rename that one, or run `baton "
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("Baton's fixtures need its package")]
    assert [line.partition(hidden)[2].partition("`")[0] for line in said] == ["qstash", "redis", "vector"]
    assert "Traceback" not in done.stdout
    assert "stand_in_process" not in done.stdout


def test_packages_of_our_names_beside_the_tests_hide_nothing(project: StrangersProject) -> None:
    """In the folder in which the tests are run, but not on their path: the servers start as everywhere."""
    for package in ("baton", "events", "functions", "infra"):
        project.write(f"{package}/__init__.py", "raise RuntimeError('this is the project, not Baton')")
    project.write("tests/test_services.py", SERVICES)
    project.interpreter += ["-P"]  # as the command `pytest` does
    done = project.run()
    assert "4 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_a_killed_test_run_leaves_no_server(project: StrangersProject) -> None:
    """SIGKILL: no chance to tidy up."""
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
