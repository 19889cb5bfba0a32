"""Any JSON from outside that every reader can parse again."""

from typing import Annotated, Any

from pydantic import AfterValidator

from baton_events.ids import canonical_json


def _readable(value: Any) -> Any:
    canonical_json(value).encode()  # pydantic reads NaN, Infinity and half surrogates, which no JSON reader accepts
    return value


AnyJson = Annotated[Any, AfterValidator(_readable)]
AnyJsonList = Annotated[list[Any], AfterValidator(_readable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_readable)]
