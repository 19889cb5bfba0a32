"""The generated block of a page: what stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`.

Pure. Invariant: nothing outside the two markers changes; a page without them, or with two pairs, is an error.
"""


class MarkerError(ValueError):
    """A page's markers are missing or doubled."""


def replace_block(page: str, name: str, content: str) -> str:
    """Return the page with the block's content replaced."""
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise MarkerError(f"the page needs {begin!r} and, after it, {end!r}, each exactly once")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"
