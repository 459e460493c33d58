"""Walk through what a team's service promises, as its people and its operator would, and print what happened.

    python bench/team_walk.py [--operations]

From the first start on all addresses to the lock-out and the audit log; then a backup in another folder and in
PostgreSQL, the upgrade of a store of the first edition, and `hangtag doctor` on installations that are broken. It uses
the tests' tiny model, and the PostgreSQL that is installed. `--operations` prints a line for each operation of the API.
Ends with an error if anything is not as promised.
"""

import argparse
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from hangtag.bundle.file import write_bundle
from hangtag.domain.roles import ACTIONS_BY_ROLE, Action, Role
from hangtag.imaging.samples import read_sample_files
from hangtag.server.access.policy import RULES

TESTS: Final = Path(__file__).resolve().parent.parent / "tests"
API: Final = "/api/v1"
PASSWORD: Final = "correct horse battery"  # noqa: S105 - of people who do not exist
SKIPPED: Final = frozenset(
    {"sign_in", "sign_out", "accept_invitation", "watch_batch", "begin_single_sign_on"}
)
"""They open or close sessions, or never end."""

WAIT_S: Final = 300


def main() -> None:
    """Walk."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--operations", action="store_true", help="print a line for each operation of the API"
    )
    wanted = parser.parse_args()
    sys.path.append(str(TESTS))
    with tempfile.TemporaryDirectory() as name:
        walk = Walk(Path(name))
        with walk.serve(walk.root / "data") as (address, printed):
            secrets = walk.first_start(address, printed, every=wanted.operations)
        walk.show_folder(secrets)
        walk.back_up()
        walk.upgrade()
        walk.examine()


class Walk:
    """The walk, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        from tiny_bundle import build_tiny_card, build_tiny_graph  # type: ignore[import-not-found]  # noqa: PLC0415 - of the tests

        self.root = root
        graph = build_tiny_graph()
        (root / "models").mkdir()
        write_bundle(graph, build_tiny_card(graph, name="tiny"), root / "models" / "tiny.onnx")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HANGTAG_")}
        self.environment = kept | {"HANGTAG_MODELS": str(root / "models"), "HANGTAG_MODEL": "tiny"}

    @contextmanager
    def serve(self, folder: Path, url: str = "") -> Iterator[tuple[str, str]]:
        """Run a service on all addresses; give its own and what it printed at the start."""
        is_new = not folder.exists()
        command = ["serve", "--host", "0.0.0.0", "--port", "0", "--threads", "1"]  # noqa: S104 - that is the point
        with (self.root / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hangtag.cli.main", *command, "--data-folder", str(folder)],
                env=self.environment | {"HANGTAG_DATABASE_URL": url},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            line = process.stdout.readline()
            check(bool(line), (self.root / "log").read_text("utf-8")[-2000:])
            # Only a service that nobody has an account of prints more.
            printed = "".join(process.stdout.readline() for _ in range(5)) if is_new else ""
            try:
                yield line.split()[-1], printed
            finally:
                process.terminate()
                process.wait(WAIT_S)

    def hangtag(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """Run a command; return its exit status and its output."""
        done = subprocess.run(
            [sys.executable, "-m", "hangtag.cli.main", *arguments],
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def first_start(self, address: str, printed: str, *, every: bool) -> list[str]:
        """Let a team come in, try everything, and go; return every secret that was used."""
        title("First start on 0.0.0.0")
        found = re.search(r"/welcome#([\w-]+)", printed)
        assert found, printed  # noqa: S101
        say(f"printed: {address}/welcome#{found[1][:6]}...")
        nobody = open_browser(address)
        expect("the API without signing in", nobody.get(f"{API}/models"), 401)
        expect(
            "a name that the service does not have",
            nobody.get("/healthz", headers={"host": "evil.example"}),
            421,
        )

        title("Two people and a token")
        ada = enter(open_browser(address), found[1], "Ada")
        expect("the link a second time", accept(nobody, found[1], "Eve"), 404)
        people = {"Ada": ada}
        for name, role in (("Rui", "reviewer"), ("Vic", "viewer")):
            link = expect(
                f"Ada adds {name}, {role}", ada.post(f"{API}/people", json={"name": name, "role": role}), 201
            )
            people[name] = enter(open_browser(address), link["path"].partition("#")[2])
        body = {"name": "nightly", "scopes": ["label"], "days": 90}
        token = expect(
            "Rui makes a token that may label", people["Rui"].post(f"{API}/tokens", json=body), 201
        )["secret"]
        program = open_browser(address, authorization=f"Bearer {token}")
        photos = [("files", (name, data)) for name, data in read_sample_files().items()]
        batch = expect(
            "Rui makes a batch", people["Rui"].post(f"{API}/batches", json={"name": "Autumn"}), 201
        )["id"]
        expect("the token adds photos", program.post(f"{API}/batches/{batch}/files", files=photos), 200)
        expect("Vic looks at it", people["Vic"].get(f"{API}/batches/{batch}"), 200)
        expect("Vic may not delete it", people["Vic"].delete(f"{API}/batches/{batch}"), 403)
        without = {name: value for name, value in ada.headers.items() if name != "x-csrf-token"}
        bare = httpx.Client(base_url=address, cookies=ada.cookies, headers=without)
        expect("a change without the CSRF token", bare.post(f"{API}/people", json=body), 403)
        elsewhere = {"origin": "https://evil.example"}
        expect("a change from another site", ada.post(f"{API}/people", json=body, headers=elsewhere), 403)

        show_roles(
            {
                "nobody": nobody,
                "viewer": people["Vic"],
                "reviewer": people["Rui"],
                "administrator": ada,
                "token": program,
            },
            every=every,
        )
        self.leave(people, address, token)
        return [found[1], token, PASSWORD, *ada.cookies.values()]

    def leave(self, people: Mapping[str, httpx.Client], address: str, token: str) -> None:
        """Sign out, be locked out, revoke, and read the log."""
        title("Sign-out, lock-out, revoked token")
        expect("Rui signs out", people["Rui"].delete(f"{API}/session"), 204)
        expect("and is out", people["Rui"].get(f"{API}/models"), 401)
        stranger = open_browser(address)
        tries = [stranger.post(f"{API}/session", json={"name": "Vic", "password": "guess"}) for _ in range(6)]
        say(
            f"six wrong passwords: {[response.status_code for response in tries]}, "
            f"the last with Retry-After: {tries[-1].headers['retry-after']}"
        )
        right = {"name": "Vic", "password": PASSWORD}
        expect("the right one from the same address", stranger.post(f"{API}/session", json=right), 429)
        tokens = people["Ada"].get(f"{API}/team/tokens").json()["items"]
        expect("Ada revokes the token", people["Ada"].delete(f"{API}/team/tokens/{tokens[0]['id']}"), 204)
        expect(
            "it is refused", open_browser(address, authorization=f"Bearer {token}").get(f"{API}/models"), 401
        )

        title("Audit log, the newest first")
        page = people["Ada"].get(f"{API}/audit", params={"limit": 500}).json()
        shown = [
            item
            for item in page["items"]
            if item["what"] in {"sign_in", "sign_out", "revoke_token", "add_token"}
        ]
        for item in shown[:9]:
            mark = "" if item["allowed"] else "  refused"
            say(
                f"{item['who']:<4} {item['what']:<13} {item['target'] or '':<16} "
                f"{item['via']:<9} {item['address']}{mark}"
            )
        say(
            f"... {page['total']} entries in all, {sum(not item['allowed'] for item in page['items'])} of them refusals"
        )

    def show_folder(self, secrets: list[str]) -> None:
        """Check the modes of the data folder, and that no secret is in the log."""
        title("What lies on the disk")
        modes: dict[str, int] = defaultdict(int)
        for path in [self.root / "data", *(self.root / "data").rglob("*")]:
            modes[f"{'folders' if path.is_dir() else 'files'} {stat.S_IMODE(path.stat().st_mode):04o}"] += 1
        say(", ".join(f"{count} {kind}" for kind, count in sorted(modes.items())))
        check(set(modes) == {"folders 0700", "files 0600"}, "modes of the data folder")
        log = (self.root / "log").read_text("utf-8")
        check("user=Rui" in log, "the log has users")
        check(not any(secret in log for secret in secrets), "a secret is in the log")
        say(f"{len(log.splitlines())} lines of log with users and addresses, none with a secret")

    def back_up(self) -> None:
        """Restore a backup in another folder and in PostgreSQL, and work there."""
        from postgres import get_server, stop_server  # noqa: PLC0415 - of the tests

        title("A backup, restored in another folder and in PostgreSQL")
        tar = self.root / "backup.tar"
        self.run("backup", str(tar), HANGTAG_DATA_FOLDER=str(self.root / "data"))
        say(f"backup.tar: mode {stat.S_IMODE(tar.stat().st_mode):04o}")
        url = get_server().make_database()
        try:
            for name, where in (("other", ""), ("files", url)):
                folder = self.root / name
                self.run("restore", str(tar), HANGTAG_DATA_FOLDER=str(folder), HANGTAG_DATABASE_URL=where)
                with self.serve(folder, url=where) as (address, _):
                    browser = open_browser(address)
                    body = {"name": "Rui", "password": PASSWORD}
                    expect("  Rui signs in there", browser.post(f"{API}/session", json=body), 200)
                    (batch,) = browser.get(f"{API}/batches").json()["items"]
                    products = browser.get(f"{API}/batches/{batch['id']}/products").json()["total"]
                    say(
                        f"  the batch {batch['name']!r} of {batch['created_by']} with {products} products is there"
                    )
                    check(products == len(read_sample_files()), "products of the backup")
        finally:
            stop_server()

    def upgrade(self) -> None:
        """Upgrade a store of the first edition."""
        from first_edition import make_data_folder  # type: ignore[import-not-found]  # noqa: PLC0415 - of the tests

        title("Upgrade of a store of the first edition")
        folder = self.root / "first"
        folder.mkdir(mode=0o755)
        make_data_folder(folder)
        for command in ("upgrade", "upgrade", "doctor"):
            self.run(command, HANGTAG_DATA_FOLDER=str(folder), last=command == "doctor")

    def run(self, command: str, *arguments: str, last: bool = False, **settings: str) -> None:
        """Run a command that has to succeed, and show what it says, or its last line alone."""
        status, output = self.hangtag(command, *arguments, **settings)
        check(status == 0, output)
        lines = [line.replace(f"{self.root}/", "") for line in output.splitlines() if line.strip()]
        say(f"$ hangtag {command}")
        for line in lines[-1:] if last else lines:
            say(f"  {line}")

    def examine(self) -> None:
        """Break installations, and see what the doctor says."""
        title("hangtag doctor on broken installations")
        for name, (settings, wanted) in self.break_things().items():
            _, output = self.hangtag("doctor", "--json", **settings)
            found = [part for part in json.loads(output[output.index("[") :]) if part["level"] != "ok"]
            bad = [part for part in found if part["check"] == wanted]
            check(bool(bad), f"{name}: {output}")
            message = bad[0]["message"].replace(f"{self.root}/", "")
            say(f"{name}\n    {bad[0]['level']}: {message}\n    {bad[0]['fix'].replace(f'{self.root}/', '')}")

    def break_things(self) -> dict[str, tuple[dict[str, str], str]]:
        """Return the settings of broken installations, and the check that has to find each."""
        whole = self.root / "models" / "tiny.onnx"
        (self.root / "models" / "cut.onnx").write_bytes(whole.read_bytes()[:2000])
        (self.root / "file").write_text("")
        copies = {name: self.root / f"broken-{name}" for name in ("open", "damaged", "newer")}
        for folder in copies.values():
            shutil.copytree(self.root / "other", folder)
        copies["open"].chmod(0o755)
        database = copies["damaged"] / "hangtag.db"
        database.write_bytes(database.read_bytes()[:4096] + b"\xff" * 8192)
        with sqlite3.connect(copies["newer"] / "hangtag.db") as opened:
            opened.execute("UPDATE alembic_version SET version_num = '9999'")
        settings = {name: {"HANGTAG_DATA_FOLDER": str(path)} for name, path in copies.items()}
        sound = {"HANGTAG_DATA_FOLDER": str(self.root / "other")}
        return {
            "a model that was cut off": (sound | {"HANGTAG_MODEL": "cut"}, "model"),
            "a data folder that is a file": ({"HANGTAG_DATA_FOLDER": str(self.root / "file")}, "data folder"),
            "a data folder that others can read": (settings["open"], "data folder"),
            "a damaged database": (settings["damaged"], "database"),
            "a database of a newer hangtag": (settings["newer"], "database"),
            "PostgreSQL that does not answer": (
                sound | {"HANGTAG_DATABASE_URL": "postgresql://u:pw@127.0.0.1:9/x"},
                "database",
            ),
            "a setting that is misspelt": (sound | {"HANGTAG_MAX_PIXEL": "9"}, "settings"),
        }


def show_roles(browsers: Mapping[str, httpx.Client], *, every: bool) -> None:
    """Call every operation of the API as everyone; print who may do what, by the action that it needs."""
    title("Who may do what: operations that are not refused, of all that need the action")
    allowed: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    document = browsers["administrator"].get(f"{API}/openapi.json").json()
    known = {action.value: action for action in Action}
    may = {name: ACTIONS_BY_ROLE[Role(name)] for name in ("viewer", "reviewer", "administrator")}
    may |= {"nobody": frozenset(), "token": frozenset({Action.LABEL})}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            if name in SKIPPED or not path.startswith(("/api/", "/metrics")):
                continue
            action = RULES[name].action
            row = allowed[action.value if action else "anyone"]
            row["operations"] += 1
            answers = {
                who: browser.request(method, re.sub(r"\{\w+\}", "999999", path)).status_code
                for who, browser in browsers.items()
            }
            for who, status in answers.items():
                row[who] += status not in {401, 403}
                check(
                    (status not in {401, 403}) == (action is None or action in may[who]),
                    f"{name} as {who}: {status}",
                )
            if every:
                say(f"{name:<28} {action or 'anyone':<11} {answers}")
    say(f"{'action':<11}{'operations':>11}" + "".join(f"{who:>15}" for who in browsers))
    for name in ["anyone", *known]:
        row = allowed[name]
        say(f"{name:<11}{row['operations']:>11}" + "".join(f"{row[who] or '-':>15}" for who in browsers))


def open_browser(address: str, **headers: str) -> httpx.Client:
    """Return a browser at the service's address."""
    # No connection is kept: on a busy machine the service may close it just as it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(base_url=address, headers=headers, timeout=WAIT_S, limits=limits)


def accept(browser: httpx.Client, secret: str, name: str) -> httpx.Response:
    """Use a one-time link."""
    body = {"secret": secret, "name": name, "password": PASSWORD}
    return browser.post(f"{API}/invitations/accept", json=body)


def enter(browser: httpx.Client, secret: str, name: str = "") -> httpx.Client:
    """Let a browser use a one-time link; it is then signed in."""
    browser.headers["X-CSRF-Token"] = accept(browser, secret, name).raise_for_status().json()["csrf"]
    return browser


def expect(what: str, response: httpx.Response, status: int) -> Any:  # noqa: ANN401 - any JSON value
    """Print what was tried and what came of it; return the body."""
    check(response.status_code == status, f"{what}: {response.status_code} {response.text}")
    say(f"{what}: {status}")
    return response.json() if response.content else None


def check(is_so: bool, what: str) -> None:  # noqa: FBT001 - as assert
    """End the walk unless something is as promised."""
    if not is_so:
        sys.exit(f"not as promised: {what}")


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
