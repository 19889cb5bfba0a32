from collections.abc import Callable
from typing import Any

from tests.contract.coverage.method_case import MethodCase, args, in_any_order

SICILY = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"
NEAR = {"longitude": 15, "latitude": 37, "radius": 100, "unit": "KM"}


def names(*expected: str) -> Callable[[Any], bool]:
    return lambda result: [place.member for place in result] == list(expected)


CASES = {
    "geoadd": MethodCase(args("g", (13.5, 37.3, "Agrigento"), ch=True), 1, SICILY, args("g", (500, 0, "x")), "invalid"),
    "geodist": MethodCase(
        args("g", "Palermo", "Catania", unit="KM"), lambda far: round(far) == 166, SICILY, args("text", "a", "b")
    ),
    "geohash": MethodCase(args("g", "Palermo", "none"), ["sqc8b49rny0", None], SICILY, args("text", "a")),
    "geopos": MethodCase(
        args("g", "Palermo", "none"),
        lambda found: (round(found[0][0]), round(found[0][1]), found[1]) == (13, 38, None),
        SICILY,
        args("text", "a"),
    ),
    "georadius": MethodCase(args("g", 15, 37, 100, "KM"), ["Catania"], SICILY, args("text", 15, 37, 100, "KM")),
    "georadius_ro": MethodCase(
        args("g", 15, 37, 100, "KM", withdist=True), names("Catania"), SICILY, args("text", 15, 37, 100, "KM")
    ),
    "georadiusbymember": MethodCase(
        args("g", "Catania", 200, "KM", order="DESC"),
        ["Palermo", "Catania"],
        SICILY,
        args("g", "none", 200, "KM"),
        "member none does not exist",
    ),
    "georadiusbymember_ro": MethodCase(
        args("g", "Catania", 200, "KM"),
        in_any_order("Palermo", "Catania"),
        SICILY,
        args("g", "none", 200, "KM"),
        "member none does not exist",
    ),
    "geosearch": MethodCase(args("g", withcoord=True, **NEAR), names("Catania"), SICILY, args("text", **NEAR)),
    "geosearchstore": MethodCase(args("to", "g", **NEAR), 1, SICILY, args("to", "text", **NEAR)),
}
