"""The worked cases of vector-rest.md 7, and a few around them."""

METADATA = {
    "city": "Istanbul",
    "pop": 15460000,
    "cap": False,
    "geo": {"lat": 41.0},
    "tags": ["a", "b"],
}

TRUE = (
    'city = "Istanbul" AND pop > 1e7',
    "cap = 0",
    "cap = false",
    "geo.lat >= 41",
    "tags CONTAINS 'b'",
    "tags[#-1] = 'b'",
    "city GLOB '?[sz]*[^m-z]'",
    "HAS FIELD geo.lat",
    "HAS NOT FIELD geo.lon",
    "pop IN (1, 15460000)",
    "city = 'x' AND pop > 0 OR cap = 0",
)

FALSE = ("pop > '1'", "city < 'Z'", "missing != 1", "tags NOT CONTAINS 'a'", "city GLOB 'istanbul'")
