"""Any JSON from outside, by the one door: every reader can parse it again."""

from typing import Annotated, Any

from pydantic import AfterValidator

from baton_events.values.json_value import plain


def _let_in(value: Any) -> Any:
    return plain(value, "value")  # pydantic reads NaN, Infinity and half surrogates, which no JSON reader accepts


AnyJson = Annotated[Any, AfterValidator(_let_in)]
AnyJsonList = Annotated[list[Any], AfterValidator(_let_in)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_let_in)]
