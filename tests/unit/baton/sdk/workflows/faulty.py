"""Code of workflows that a registry may refuse."""

import re

from baton.sdk.workflows.refused import faults_of
from tests.unit.baton.sdk.workflows.conftest import Load

HEAD = """
import asyncio, datetime, httpx, itertools, os, random, secrets, subprocess, urllib.request, uuid
import datetime as clock, random as dice, time as t
from dataclasses import dataclass, field
from datetime import date, datetime as dt, timedelta, timezone
from random import Random, choice, shuffle as mix
from time import monotonic, sleep as pause
from uuid import UUID, uuid4 as new_id, uuid5
from pydantic import BaseModel, Field

WORDS, ROWS, EMPTY = {"a", "b"}, ["a", "b"], set()

class shop:
    WORDS = frozenset(WORDS)

    async def send(self, x): await ship(x)

@tool
async def ship(order: str) -> str:
    return f"{order} {dt.now()} {random.random()} {open(order)}"

@workflow
async def child(order: str) -> None: ...

async def ships(order):
    await ship(order)
"""


def faults(load: Load, text: str) -> list[str]:
    """Return the faults of the workflow in a module, without their places."""
    return [re.sub(r"^.*flow\d+[.]py:\d+: ", "", fault) for fault in faults_of(load(HEAD + text).flow)]
