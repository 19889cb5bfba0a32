"""`baton qstash`, `baton redis`, `baton vector` as a person starts them: what they say, and how they end."""

import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.contract.redis_rest.local_redis import free_of_processes

BATON = str(Path(sys.executable).with_name("baton"))
EXPORTS = {
    "qstash": ["QSTASH_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"],
    "redis": ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"],
    "vector": ["UPSTASH_VECTOR_REST_URL", "UPSTASH_VECTOR_REST_TOKEN"],
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", EXPORTS)
def test_it_says_what_to_export_serves_and_ends_cleanly(name: str, number: signal.Signals, tmp_path: Path) -> None:
    """First where it listens, then the variables, when a request would succeed; exit code 0 and nothing left."""
    command = [BATON, name, "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, *exports = [process.stdout.readline().strip() for _ in range(1 + len(EXPORTS[name]))]
        url = first.rpartition(" ")[2]
        assert [line.removeprefix("export ").partition("=")[0] for line in exports] == EXPORTS[name]
        assert exports[0].endswith(f"={url}")
        if name != "qstash":  # whose token is the development user's
            assert exports[1].endswith(f"={(tmp_path / 'data' / 'token').read_text().strip()}")
        connection = HTTPConnection(url.removeprefix("http://"), timeout=120)
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=120)
    assert (process.returncode, rest) == (0, "")
    assert "Traceback" not in errors
    assert free_of_processes(tmp_path)
