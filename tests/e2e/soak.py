"""Wears the local stack under faults that end no process: `python -m tests.e2e.soak --seconds 3600 --seed 1`.

Clients of ten tenants submit jobs of all shapes without a pause. Meanwhile the store, the queue or the app hangs, the
store's bridge is late, refuses or loses answers, the queue's disk is full, and proxies go on and off. It ends with 1
where a job is lost or wrong, a process has ended (but for the queue on a full disk, which its supervisor starts again),
or a part has grown by more than a fifth since its warm-up; the store also holds an hour's rows of the jobs.
"""

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest

from baton_events.proxies import EnvironmentTransport
from baton_local.dev.secrets_file import add_api_key_entry, api_key_entry, new_api_key
from baton_local.fixtures.network import LocalProxy
from tests.e2e.fault_chaos import submissions
from tests.e2e.fault_client import FaultClient, Load
from tests.e2e.fault_stack import PARTS, FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check

TENANTS = tuple(f"tenant-{number}" for number in range(10))
ROUND_SECONDS, JOBS_OF_A_ROUND = 12.0, 20
# Ended jobs go after the first of these times; from the second on no part may grow.
RETENTION_SECONDS, WARM_UP_SECONDS = 60, 100.0
HANGS_SECONDS, GROWTH = 3.0, 1.2
# Rows of lists outlive the data of their job by an hour (maintenance.py), and so do the tombstones.
ROWS_KB = 5
KEPT = "build/soak"  # where a stack that failed is looked into
FULL_DISK = "the queue's disk is full"


def main() -> int:
    """Read the command line, and wear the stack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, fault_stack_in(Path(folder)) as stack:
        stack.prepare(JOB_RETENTION_SECONDS=str(RETENTION_SECONDS))
        for tenant in TENANTS:
            stack.keys[tenant] = new_api_key("client")
            add_api_key_entry(stack.folder, api_key_entry("client", tenant, stack.keys[tenant]))
        stack.start()
        try:
            with closing(FaultClient(stack)) as client:
                return worn(stack, client, chosen.seconds, chosen.seed)
        except Exception:
            shutil.copytree(folder, KEPT, dirs_exist_ok=True, ignore=lambda *_: ["valkey.sock"])
            said(f"logs and data of the stack are kept in {KEPT}", 1)
            raise


def worn(stack: FaultStack, client: FaultClient, seconds: float, seed: int) -> int:
    """Play rounds; return the exit code."""
    stack.wait_until_calm()
    processes = {part: stack.living_pid(part) for part in PARTS}
    began, jobs, number, warm, now = time.monotonic(), 0, 0, dict[str, int](), dict[str, int]()
    while time.monotonic() - began < seconds or not warm:
        jobs += one_round(stack, client, number, seed + number)
        number += 1
        living = {part: stack.living_pid(part) for part in PARTS}
        ended = {part for part in PARTS if living[part] != processes[part]}
        if ended - ({"qstash"} if list(FAULTS)[(number - 1) % len(FAULTS)] == FULL_DISK else set()):
            return said(f"a process has ended in round {number}: {ended}", 1)
        processes = living
        now = {part: resident_kb(pid) for part, pid in processes.items()}
        if not warm and time.monotonic() - began > WARM_UP_SECONDS:
            warm = now
        said(f"{time.monotonic() - began:6.0f} s: {jobs} jobs of {len(TENANTS)} tenants; kB: {now}", 0)
    kept = {"redis": ROWS_KB * jobs}
    grown = {
        part: f"{warm[part]} to {now[part]} kB" for part in PARTS if now[part] > GROWTH * warm[part] + kept.get(part, 0)
    }
    return said(
        f"grown: {grown}" if grown else f"{jobs} jobs, none lost or wrong; no process ended or grew", bool(grown)
    )


def one_round(stack: FaultStack, client: FaultClient, number: int, seed: int) -> int:
    """Let one fault happen while jobs come, and check each of them; return their number."""
    name, strike = list(FAULTS.items())[number % len(FAULTS)]
    said(f"         round {number}: {name}", 0)
    drawn = submissions(seed, JOBS_OF_A_ROUND, ROUND_SECONDS / 2)
    load = Load(client, [replace(one, tenant=TENANTS[place % len(TENANTS)]) for place, one in enumerate(drawn)])
    time.sleep(1)
    strike(stack)
    sent = load.finish()
    stack.wait_until_calm()
    ended = client.ended(one.submission for one in sent if one.accepted)
    unanswered = [one.submission for one in sent if not one.accepted]
    ended |= client.ended(one for one in unanswered if client.job(one) is not None)
    check(client, ended)
    return len(ended)


def _hangs(part: str) -> Callable[[FaultStack], None]:
    def strike(stack: FaultStack) -> None:
        with stack.stopped(part):
            time.sleep(HANGS_SECONDS)

    return strike


def _bridge(**plan: float) -> Callable[[FaultStack], None]:
    return lambda stack: stack.plan_faults(**plan)


def _full_disk(stack: FaultStack) -> None:
    pid = stack.living_pid("qstash")
    stack.take_room(pid)
    time.sleep(HANGS_SECONDS)
    if stack.living("qstash") == pid:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _proxies(stack: FaultStack) -> None:
    """Ask for readiness by a proxy that is there, around it, and by one that is not."""
    proxy = LocalProxy()
    try:
        for around in ("", "127.0.0.0/8"):
            assert _is_ready(stack, proxy.url, around)
            assert len(proxy.requests) == 1
    finally:
        proxy.off()
    with pytest.raises(httpx.ProxyError, match="made no connection"):
        _is_ready(stack, proxy.url, "")


def _is_ready(stack: FaultStack, proxy: str, around: str) -> bool:
    named = {"HTTP_PROXY": proxy, "NO_PROXY": around, "http_proxy": proxy, "no_proxy": around}
    with patch.dict("os.environ", named), httpx.Client(transport=EnvironmentTransport(), timeout=10) as client:
        return client.get(f"{stack.described['app_url']}/readyz").is_success


FAULTS: dict[str, Callable[[FaultStack], None]] = {
    "the store hangs": _hangs("redis"),
    "its bridge hangs": _hangs("redis_rest"),
    "the queue hangs": _hangs("qstash"),
    "the app hangs": _hangs("app"),
    "the store is late": _bridge(delay_seconds=3, delay=10),
    "the store refuses": _bridge(refuse=20),
    "answers of the store are lost": _bridge(drop=10),
    FULL_DISK: _full_disk,
    "proxies come and go": _proxies,
}


def resident_kb(pid: int) -> int:
    """Return how much memory a process has."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


def said(line: str, code: int) -> int:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
