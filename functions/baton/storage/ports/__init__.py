"""What the product needs of a store. Every call may be made twice, since clients repeat."""
