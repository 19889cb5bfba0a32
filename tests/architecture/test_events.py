"""Every event type has everything that an event type must have, exactly once."""

from starlette.routing import Route

from baton.server.app import EVENT_SPECS, SPECS, build_app, webhook_apps
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton.worker.wiring import real_ports
from baton_events.schema import ENDPOINTS, TOPIC_SUFFIXES, EventType
from tests.architecture.source_files import ROOT, source_files

WEBHOOKS = tuple(file for file in source_files("functions/baton/worker/handlers") if not file.is_package_file)


def test_each_event_type_has_one_spec_with_its_endpoint() -> None:
    assert {spec.event_type: spec.path for spec in EVENT_SPECS} == ENDPOINTS
    assert [spec.event_type for spec in EVENT_SPECS] == list(EventType)


def test_each_webhook_file_has_one_spec_of_its_own_that_is_mounted() -> None:
    """A file of functions/baton/worker/handlers that the application does not mount would never run."""
    names = [file.name.removesuffix(".py").rpartition("/")[2].replace("_", "-") for file in WEBHOOKS]
    assert sorted(names) == sorted(spec.name for spec in SPECS)


def test_each_spec_has_one_app() -> None:
    settings = Settings()
    container = Container(settings, real_ports(settings))
    assert sorted(webhook_apps(container)) == sorted(spec.path for spec in SPECS)
    routes = build_app(container).site.routes
    assert not [route for route in routes if isinstance(route, Route) and route.path.startswith("/workers/")]


def test_each_event_type_has_a_topic_of_its_own() -> None:
    assert list(TOPIC_SUFFIXES) == list(EventType)
    assert len(set(TOPIC_SUFFIXES.values())) == len(EventType)


def test_each_event_type_has_a_row_in_its_page() -> None:
    page = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8").splitlines()
    for event_type, endpoint in ENDPOINTS.items():
        file = f"functions/baton/worker/handlers/{endpoint.rpartition('/')[2].replace('-', '_')}.py"
        cells = (f"`{event_type}`", f"`{Settings().topic(event_type)}`", f"`{endpoint}`", f"`{file}`")
        assert [line for line in page if all(cell in line for cell in cells)], event_type
        assert (ROOT / file).is_file()
