"""Any JSON, as values from outside may be: what can be written as JSON again, and read by everybody."""

from typing import Annotated, Any

from pydantic import AfterValidator

from baton_events.ids import canonical_json


def _readable(value: Any) -> Any:
    canonical_json(value).encode()  # pydantic reads NaN, Infinity and half surrogates, which nobody can read back
    return value


AnyJson = Annotated[Any, AfterValidator(_readable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_readable)]
