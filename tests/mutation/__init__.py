"""The test of the unit tests: machine-made mutants of the product, and how many of them the tests notice."""
