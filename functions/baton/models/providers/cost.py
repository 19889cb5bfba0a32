"""What an answer costs, by the price list that comes with pydantic-ai (genai-prices).

Invariant: a price that nobody knows is 0, never a guess. Must not: fetch anything.
"""

from pydantic_ai.messages import ModelResponse


def cost_usd(response: ModelResponse) -> float:
    """US dollars, from what the provider says it cost, else from the list."""
    if response.usage.cost is not None:
        return float(response.usage.cost)
    if not response.model_name:
        return 0.0
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError):  # the list does not know the model, or not how such tokens are counted
        return 0.0
