"""Any JSON from outside, by the one door: every reader can parse it again."""

from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from baton_events.values.json_value import plain, read_value


def _let_in(value: Any, info: ValidationInfo) -> Any:
    return read_value(value, "value") if info.mode == "json" else plain(value, "value")


AnyJson = Annotated[Any, AfterValidator(_let_in)]
AnyJsonList = Annotated[list[Any], AfterValidator(_let_in)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_let_in)]
