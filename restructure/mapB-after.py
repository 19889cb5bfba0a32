"""Edits that the codemod cannot make: run once in the moved tree (`python mapB-after.py ROOT`)."""
import pathlib, sys
ROOT = pathlib.Path(sys.argv[1])


def sub(path, *pairs):
    p = ROOT / path
    text = p.read_text()
    for old, new in pairs:
        if old not in text and new not in text:
            print(f"mapB-after: {path} has no {old[:70]!r}")
        text = text.replace(old, new)
    p.write_text(text)


TURNS = "`functions/baton/executors/plan_turns.py`"
sub("README.md", (f"{TURNS}, {TURNS}", TURNS),
    ("a new file in `functions/baton/agents/` and one line in", "a new file in `functions/baton/agents/samples/` and one line in"))
sub("docs/agents.md", ("`functions/baton/agents/samples/plans.py`\nand `functions/baton/agents/samples/plans.py` are examples that run offline.",
                       "`functions/baton/agents/samples/plans.py`\nhas examples that run offline."))
sub("docs/console.md", ("tests/unit/functions/console", "tests/unit/baton/console"))
sub("tests/architecture/test_wheel.py", ('"baton/agents/library/"', '"baton/agents/samples/library/"'))
# Prefixes of whole folders, which had the names of modules.
sub("tests/architecture/test_importing.py", ('"baton.agents.samples.registry"', '"baton.agents.samples"'), ('"baton.models.demo.model"', '"baton.models.demo"'))
