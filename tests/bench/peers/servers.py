"""Redis and PostgreSQL for the rows that need one, as a managed service would have them set."""

import shutil
import subprocess
import time
from collections.abc import Sequence
from os import geteuid
from pathlib import Path

from tests.bench.peers.environment import setting
from tests.bench.peers.peer import LOOPBACK, Peer, free_port, wait_for_port


def start_redis(peer: Peer) -> str:
    """Redis with its append-only file, synced every second; its URL. `BENCH_REDIS_SERVER`: the program."""
    port = free_port()
    options = {"port": str(port), "dir": str(peer.folder), "appendonly": "yes", "appendfsync": "everysec", "save": ""}
    program = setting("BENCH_REDIS_SERVER", "redis-server")
    peer.spawn("redis", [program, *(part for name, value in options.items() for part in (f"--{name}", value))])
    wait_for_port(port)
    return f"redis://{LOOPBACK}:{port}/0"


def postgres_folder() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).parent if on_path else None


def start_postgres(peer: Peer) -> str:
    """PostgreSQL with its defaults (each commit is synced to the disk); its URL."""
    programs = postgres_folder()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: initdb is not on the path")
    data, port = peer.folder / "postgres", free_port()
    data.mkdir()
    as_user = _user_of(data)
    subprocess.run(
        [*as_user, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    server = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(data)]
    peer.spawn("postgres", [*as_user, *server, "-c", "max_connections=200"], folder=Path("/"))
    wait_for_port(port)
    for _ in range(50):
        ready = [str(programs / "pg_isready"), "-h", LOOPBACK, "-p", str(port)]
        if subprocess.run(ready, check=False, stdout=subprocess.DEVNULL).returncode == 0:
            break
        time.sleep(0.1)
    return f"postgresql://postgres@{LOOPBACK}:{peer.far(port)}/postgres"


def _user_of(data: Path) -> Sequence[str]:
    """PostgreSQL refuses to run as root."""
    if geteuid() != 0:
        return ()
    shutil.chown(data, "postgres")
    return "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"
