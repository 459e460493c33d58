"""The service does what its OpenAPI document says, whatever it is sent: schemathesis draws the requests."""

import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from hangtag.server.app import create_app

STREAMS = ("watch_batch",)
"""Operations whose answer need not end."""

BOUND_BY_THEIR_DATA = (
    "add_class",
    "add_export_template",
    "add_files",
    "add_taxonomy",
    "add_webhook",
    "change_export_template",
    "change_taxonomy",
    "change_webhook",
    "check_batch_export",
    "create_export",
    "create_job",
    "decide",
    "draft_export_template",
    "duplicate_export_template",
    "duplicate_taxonomy",
    "export_products",
    "fill_own_sheet",
    "import_decisions",
    "push_batch_labels",
    "read_taxonomy_table",
    "set_presence",
)
"""Operations with rules that no schema can state, such as a row's values being as many as the columns: 422 is right."""


schema = schemathesis.openapi.from_path(Path(__file__).parents[3] / "web" / "openapi.json")


@pytest.fixture(scope="module")
def address(build_settings):
    """The address of a running service."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(create_app(build_settings()), log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        urllib.request.urlopen(f"{address}/readyz").close()  # noqa: S310 - an address of our own
        yield address
        server.should_exit = True
        thread.join()


@schema.exclude(operation_id=STREAMS).parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_the_service_does_what_its_document_says(case, address):
    bound = case.operation.definition.raw["operationId"] in BOUND_BY_THEIR_DATA
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance] if bound else [])
