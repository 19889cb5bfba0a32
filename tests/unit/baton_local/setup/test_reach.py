from baton.settings.settings import Settings
from baton_local.setup.wanted import unreachable_base

HOSTED, LOCAL = "https://qstash.upstash.io", "http://127.0.0.1:8080"


def test_a_hosted_queue_does_not_reach_this_machine() -> None:
    here = Settings(qstash_url=HOSTED, worker_base_url="http://localhost:8090")
    assert "run `baton tunnel`" in unreachable_base(here)
    assert unreachable_base(Settings(qstash_url=LOCAL, worker_base_url="http://localhost:8090")) == ""
    assert unreachable_base(Settings(qstash_url=HOSTED, worker_base_url="https://fn.example.com")) == ""


def test_one_function_on_this_machine_is_enough() -> None:
    urls = (("/workers/sweep", "http://127.0.0.1:9000"),)
    mixed = Settings(qstash_url=HOSTED, worker_base_url="https://fn.example.com", worker_urls=urls)
    assert "by this machine only" in unreachable_base(mixed)
