"""What the codemod cannot know: run in the moved tree (`python3 mapA.after.py ROOT`), before or after ruff."""

import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve()
os.chdir(sys.argv[1] if sys.argv[1:] else ".")


def put(path: str, *pairs: tuple[str, str]) -> None:
    file = pathlib.Path(path)
    text = file.read_text()
    for old, new in pairs:
        if old not in text:
            print(f"{path}: not found: {old!r}")
        text = text.replace(old, new)
    file.write_text(text)


put(
    "functions/baton/engine/state.py",
    (
        "of these, what the quota of its tenant knows\n    until it ends. `stamp`: another one with each write to what was said in the job, so that no two histories have the\n    same usage.",
        "of these, what the quota of its tenant\n    knows until it ends. `stamp`: another one with each write to what was said in the job, so that no two histories\n    have the same usage.",
    ),
)
put("functions/baton/storage/redis/keys.py", ("job_list.py). No hash tag: no script touches it.", "job_list.py); no hash tag, no script."))
put(
    "tests/architecture/test_importing.py",
    ('REDIS_EXTRA = "baton.storage.redis.resp_"  # likewise', 'REDIS_EXTRA = ("baton.transport.redis_resp", "baton.transport.redis_node")  # likewise'),
    ("(MODELS_EXTRA, REDIS_EXTRA)", "(MODELS_EXTRA, *REDIS_EXTRA)"),
    ('    "baton.storage.redis.http1_",\n', '    "baton.transport.http1",\n'),
    ('    "baton.storage.redis.resp_",\n', '    "baton.transport.redis_node",\n    "baton.transport.redis_resp",\n'),
)
put(
    "tests/architecture/test_import_contracts.py",
    ("functions/baton/runtime/delivery.py", "functions/baton/queue/dispatch.py"),
    ("from baton.recovery import sweeping", "from baton.recovery import sweep"),
    ("from baton import emitter", "from baton import clock"),
)
put(
    "tests/bench/stacks.py",
    ('"functions/baton/observability/log_"', '"functions/baton/observability/logs"'),
    ('("own: adapters", ("functions/baton/storage/redis/",))', '("own: adapters", ("functions/baton/storage/", "functions/baton/queue/qstash/", "functions/baton/transport/"))'),
    ('("own: core"', '("own: engine"'),
    ('"functions/baton/queue/handing_on"', '"functions/baton/queue/dispatch"'),
    ('"functions/baton/runtime/edge"', '"functions/baton/runtime/webhook"'),
)
put("tests/bench/test_stacks.py", ("/functions/baton/core/decide.py", "/functions/baton/engine/decide.py"), ('"own: core"', '"own: engine"'))
put("tests/architecture/test_seeds.py", ("tests/unit/functions/seeds", "tests/unit/baton/whole/seeds"))
put("tests/mutation/run.py", ('"tests/unit/events", "tests/unit/functions", "tests/unit/baton"', '"tests/unit/baton_events", "tests/unit/baton"'))
put("CHANGELOG.md", ("`baton/webhooks/….handler`", "`baton/handlers/….handler`"))
put("tests/architecture/test_event_path.py", ('"modules": 90', '"modules": 77'))
contracts = HERE.with_name("mapA.importlinter").read_text()
local = pathlib.Path(".importlinter").read_text()
if pathlib.Path("infra/baton_local/stand_in/http_server.py").exists():  # mapC's are carried out, too
    local = HERE.with_name("mapC.importlinter").read_text() + "\n# --- Who may import"
    contracts = contracts.replace("baton_local.doctor.outside", "baton_local.doctor.checkup")
start = local.index("[importlinter:contract:local]")
end = local.index("# --- Who may import")
head, tail = contracts.split("# --- Who may import", 1)
pathlib.Path(".importlinter").write_text(head + local[start:end] + "# --- Who may import" + tail)
for cache in list(pathlib.Path("functions").rglob("__pycache__")):
    shutil.rmtree(cache)
