"""All families of commands together, under the name that the page about the stand-ins shows."""

from collections.abc import Mapping

from tests.contract.coverage.method_case import MethodCase
from tests.contract.coverage.redis_cases import hashes, lists, places, scripts, sets, sorted_sets, streams, strings

FAMILIES: Mapping[str, Mapping[str, MethodCase]] = {
    "strings, bits, counters": strings.CASES,
    "keys": strings.KEYS,
    "hashes": hashes.CASES,
    "lists": lists.CASES,
    "sets": sets.CASES,
    "sorted sets": sorted_sets.CASES,
    "streams": streams.CASES,
    "places": places.CASES,
    "scripts": scripts.CASES,
    "server": scripts.SERVER,
}
CASES: Mapping[str, MethodCase] = {name: case for family in FAMILIES.values() for name, case in family.items()}
