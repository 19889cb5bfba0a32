"""What a call wants to do, in a sentence."""

from baton.tools.sentence import approval_sentence, sentence


def test_names_are_words_and_values_are_short() -> None:
    """Nested values and lists, too; what is left out is counted."""
    arguments = {
        "orderId": 1234,
        "to_whom": "A\nB " + "x" * 80,
        "isGift": True,
        "key": "[redacted]",
        "tags": [1, 2, 3, 4, 5],
        "a": {"b_c": None},
    }
    assert sentence("support", "refund", arguments) == (
        f"support wants to run refund: order id 1234, to whom A B {'x' * 55}…, is gift yes,"
        " tags [1, 2, 3, 4 and 1 more], a (b c none)"
    )
    assert sentence("a", "b", {}) == "a wants to run b"
    assert sentence("a", "b", {str(n): n for n in range(8)}).endswith("5 5, and 2 more")
    assert len(sentence("a", "b", {"x" * 500: 1})) == 300
    view = {"tool": None, "arguments": {"limit": "cost_usd", "value": 0.5}}
    assert approval_sentence("a", view) == "a wants to continue beyond its limit of 0.5 cost usd"
