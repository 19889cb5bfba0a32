"""The ports of a store, as the product needs them. Every call may be made twice, since clients repeat."""
