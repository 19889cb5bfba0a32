"""Ids from clock or chance."""

import random
import secrets
import time
import uuid
from datetime import datetime

from baton import tool
from baton.testing import Simulation
from tests.unit.baton.testing.planted import outside


@tool
def effect_of_uuid() -> str:
    Simulation.effect(uuid.uuid4().hex)
    return "paid"


@tool
def result_of_uuid() -> str:
    return f"order {uuid.uuid4()}"


@tool
def effect_of_second() -> str:
    Simulation.effect(f"payment of {int(time.time())}")
    return "paid"


@tool
def effect_of_day_time() -> str:
    Simulation.effect(datetime.now().strftime("%H:%M:%S"))
    return "paid"


@tool
def effect_of_dice() -> str:
    Simulation.effect(f"{random.randrange(10**9)}-{secrets.token_hex(4)}")
    return "paid"


PLANTED = {
    one.name: outside.registry([one])
    for one in (effect_of_uuid, result_of_uuid, effect_of_second, effect_of_day_time, effect_of_dice)
}
