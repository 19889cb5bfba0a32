"""Plays odd values at every door: `python -m tests.values.soak --values 100000 --seed 1`.

It stops at the first value that a door neither records nor refuses, and names door and seed.
"""

import argparse
import asyncio
import gc
import logging
import sys
import time
import traceback
import warnings

from tests.values.doors import DOORS, SERVERS
from tests.values.odd import Drawn

_SERVERS_TURN = 25  # one value in so many takes a connection


async def played(values: int, seed: int) -> int:
    """Play so many values, at one door after the other; return the exit code."""
    for number in range(values):
        doors = SERVERS if number % _SERVERS_TURN == 0 else DOORS
        door = doors[number // (_SERVERS_TURN if doors is SERVERS else 1) % len(doors)]
        try:
            await door(Drawn(seed + number))
        except Exception:  # noqa: BLE001 - reported, with the way to see it again
            sys.stdout.write(f"door {door.__name__}, seed {seed + number}\n{traceback.format_exc(limit=-8)}\n")
            return 1
    return 0


def main() -> int:
    """Read the command line, and play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    gc.freeze()  # all that is imported stays, and takes most of a collection's time
    began_seconds = time.monotonic()
    code = asyncio.run(played(chosen.values, chosen.seed))
    if code == 0:
        took_seconds = time.monotonic() - began_seconds
        passed = f"{chosen.values} values passed {len(DOORS) + len(SERVERS)} doors in {took_seconds:.0f} s"
        sys.stdout.write(f"{passed}, from seed {chosen.seed}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
