"""What an answer costs."""

from decimal import Decimal

from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from baton.models.providers.client import cost_usd
from tests.unit.baton.models.providers.provider_cases import OPENAI
from tests.unit.baton.models.providers.requesting import Requested, requesting

USAGE = RequestUsage(input_tokens=1_000_000, output_tokens=1_000_000)


def response(model: str | None, usage: RequestUsage = USAGE) -> ModelResponse:
    """A response of that model."""
    return ModelResponse(parts=[TextPart("x")], usage=usage, model_name=model, provider_name="openai")


def test_a_known_price_counts_tokens_in_and_out() -> None:
    """GPT-4o mini: 0.15 and 0.60 dollars a million."""
    assert cost_usd(response("gpt-4o-mini")) == 0.75


def test_tokens_from_the_provider_s_cache_cost_less() -> None:
    """Half, with this model."""
    cached = RequestUsage(input_tokens=1_000_000, cache_read_tokens=1_000_000)
    assert cost_usd(response("gpt-4o-mini", cached)) == 0.075


def test_an_unknown_price_is_nothing_and_no_guess() -> None:
    """A model of tomorrow, one without a name, and usage that cannot be."""
    assert cost_usd(response("gpt-17-enormous")) == 0.0
    assert cost_usd(response(None)) == 0.0
    assert cost_usd(response("gpt-4o-mini", RequestUsage(input_tokens=1, cache_read_tokens=5))) == 0.0


def test_what_the_provider_says_it_cost_comes_first() -> None:
    """It knows its own bill."""
    assert cost_usd(response("gpt-4o-mini", RequestUsage(input_tokens=1, cost=Decimal("0.5")))) == 0.5


async def test_an_answer_says_what_it_cost() -> None:
    """By the model that answered, not by the name that was asked for."""
    with requesting(OPENAI) as requested:
        requested.answers(requested.case.plain("It is 3."))
        assert (await requested.answer()).cost_usd > 0


async def test_every_provider_s_answer_has_a_cost_that_can_be_added_up(requested: Requested) -> None:
    """A finite number."""
    requested.answers(requested.case.plain("It is 3."))
    assert 0 <= (await requested.answer()).cost_usd < 1
