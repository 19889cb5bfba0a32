"""What an answer of a model costs, by the price list that comes with pydantic-ai (the library genai-prices).

A newer release of genai-prices knows newer models: raise it in uv.lock (`uv lock -P genai-prices`). An unknown price is
0, never a guess. The prices of queue, store and functions are in settings/service_prices.py.
"""

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


def spent_of(response: ModelResponse) -> Spent:
    """Return the usage of an answer that is not taken."""
    return Spent(1, response.usage.input_tokens, response.usage.output_tokens, cost_usd(response))
