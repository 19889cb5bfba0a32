"""What an answer of a model costs, by the price list that comes with pydantic-ai (the library genai-prices).

A newer release of genai-prices knows newer models: raise it in uv.lock (`uv lock -P genai-prices`). An unknown price is
0, never a guess. The prices of queue, store and functions are in settings/service_prices.py.
"""

from genai_prices import Usage, calc_price
from pydantic_ai.messages import ModelResponse

from baton.sdk.models.model import Spent


def cost_usd(response: ModelResponse) -> float:
    """Compute the cost in US dollars, from the provider's own figure, else from the price list."""
    if response.usage.cost is not None:
        return float(response.usage.cost)
    if not response.model_name:
        return 0.0
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError):  # the list lacks the model, or a price for such tokens
        return 0.0


def listed_usd(model: str, input_tokens: int, output_tokens: int) -> float:
    """Return what a call of a model, such as "openai:gpt-5-mini", costs at list prices; 0: it has none."""
    provider, _, name = model.partition(":")
    try:
        found = calc_price(Usage(input_tokens=input_tokens, output_tokens=output_tokens), name, provider_id=provider)
    except (LookupError, ValueError):
        return 0.0
    return float(found.total_price)


def spent_of(response: ModelResponse) -> Spent:
    """Return the usage of an answer that is not taken."""
    return Spent(1, response.usage.input_tokens, response.usage.output_tokens, cost_usd(response))
