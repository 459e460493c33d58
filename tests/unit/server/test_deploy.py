"""The files in deploy/ agree with the service: its settings, its metrics, its paths."""

import ast
import configparser
import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from hangtag.server.app import create_app
from hangtag.server.settings import Settings
from tiny_bundle import draw_png

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
SETTINGS = {
    written
    for name, field in Settings.model_fields.items()
    for written in getattr(field.validation_alias, "choices", None)
    or [field.validation_alias or f"HANGTAG_{name.upper()}"]
} | {"HANGTAG_BENCH"}
DIGEST = r":\d+\.[\w.-]+@sha256:[0-9a-f]{64}"
OF_COMPOSE = {"HANGTAG_POSTGRES_PASSWORD"}
OF_PROMETHEUS = {"instance", "job", "le"}
WORDS = {"sum", "by", "rate", "histogram_quantile", "changes", "up", "or", "label_values", "instance", "le"}


@pytest.fixture(scope="module")
def bill():
    spec = spec_from_file_location("bill", DEPLOY / "bill.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def exposed(build_settings):
    """The names of all metrics of a service in use, and the names of all their labels."""
    with TestClient(create_app(build_settings(quota_products=9, quota_bytes=9))) as client:
        client.post("/api/v1/predictions", files=[("photos", ("a.png", draw_png(1)))])
        lines = [line for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    names = {re.match(r"\w+", line)[0] for line in lines}
    labels = {label for line in lines for label in re.findall(r'(\w+)="', line)}
    return names, labels


def dashboard_expressions():
    board = json.loads((DEPLOY / "grafana" / "hangtag.json").read_text("utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (note["expr"] for note in board["annotations"]["list"])
    yield from (
        variable["definition"] for variable in board["templating"]["list"] if "definition" in variable
    )


def alert_expressions():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expressions", [dashboard_expressions, alert_expressions])
def test_dashboard_and_alerts_ask_for_metrics_that_exist(expressions, exposed):
    names, labels = exposed
    asked = list(expressions())
    assert len(asked) >= 9
    for expression in asked:
        matched = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression))
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression))))
        assert matched | grouped <= labels | OF_PROMETHEUS, expression
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", " ", expression)
        assert set(re.findall(r"\b[a-zA-Z_]\w*", bare)) - WORDS <= names, expression


def test_every_alert_says_what_to_look_at():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]


def test_the_panels_of_the_dashboard_do_not_overlap():
    board = json.loads((DEPLOY / "grafana" / "hangtag.json").read_text("utf-8"))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_every_variable_is_a_setting():
    for path in [*DEPLOY.rglob("*.yaml"), DEPLOY / "Containerfile", DEPLOY / "hangtag.service"]:
        named = set(re.findall(r"\bHANGTAG_[A-Z_]+\b", path.read_text("utf-8")))
        assert named - OF_COMPOSE <= SETTINGS, path


def test_the_container_is_not_root_and_copies_what_is_there():
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    final = lines[max(number for number, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in final
    assert any(line.startswith("HEALTHCHECK") for line in final)
    assert not any(line.startswith("COPY") and "--from=" not in line for line in final)
    base = next(line for line in lines if line.startswith("ARG PYTHON="))
    assert re.fullmatch(rf"ARG PYTHON=\S+{DIGEST}", base)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    for line in lines:
        if line.startswith("COPY") and "--from=" not in line:
            source = line.split()[1]
            assert (ROOT / source).exists()
            assert source not in ignored


def test_the_health_check_is_python(client):
    line = next(
        line
        for line in (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
        if '"python", "-c"' in line
    )
    script = json.loads(line.partition("CMD ")[2])[2]
    ast.parse(script)
    path = re.search(r"127\.0\.0\.1:8080(/\w+)", script)[1]
    assert client.get(path).status_code == 200


def test_compose_runs_it_without_rights_and_with_postgres():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    own = services["hangtag"]
    assert own["read_only"]
    assert own["cap_drop"] == ["ALL"]
    assert own["ports"] == ["127.0.0.1:8080:8080"]
    assert own["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "ports" not in services["postgres"]
    assert re.search(rf"{DIGEST}$", services["postgres"]["image"])
    assert (DEPLOY / own["build"]["context"] / own["build"]["dockerfile"]).is_file()


def test_kubernetes_runs_it_without_rights(client):
    parts = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))
    deployment = next(part for part in parts if part["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["enableServiceLinks"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
    claimed = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claimed


def test_the_unit_is_sandboxed():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "hangtag.service")
    service = unit["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"


def test_licences_come_from_what_is_installed_and_locked(bill):
    assert bill.find_licence("fastapi") == "MIT"
    assert bill.find_licence("no-such-package") == "unknown"
    page = bill.list_page_components(json.loads(bill.PAGE_LOCK.read_text("utf-8")))
    assert {"svelte", "bits-ui"} <= {part["name"] for part in page}
    lines = bill.LOCK.read_text("utf-8").splitlines()
    locked = {line.partition("==")[0] for line in lines if "==" in line and "win32" not in line}
    missing = {name for name in locked if bill.find_licence(name) == "unknown"}
    assert missing == set()
    table = bill.render_licences({"components": page})
    assert re.search(r"^\| svelte \| [\d.]+ \| MIT \|$", table, re.MULTILINE)
