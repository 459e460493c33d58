"""Checking the service's settings, data folder, database, page and limits."""

import os
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

from hangtag.domain.durable import PRIVATE_FILE, PRIVATE_FOLDER
from hangtag.domain.text import did_you_mean
from hangtag.inference.runtime import count_usable_cpus
from hangtag.pipelines.doctor import Finding, check_packages, run_check
from hangtag.server.settings import MIB, Settings
from hangtag.store.database import DATABASE_NAME, find_url, list_revisions, parse_url, read_revision
from hangtag.store.keeping import measure_usage

_PREFIX: Final = "HANGTAG_"
_OTHER_VARIABLES: Final = frozenset({"HANGTAG_BENCH"})
"""Variables that are not settings of the service but are read elsewhere."""

_NEARLY_FULL: Final = 0.9
_FEW_FILES: Final = 4096
_LITTLE_DISK_BYTES: Final = 2048 * MIB
_NO_DISK_BYTES: Final = 128 * MIB
_PROCESS_BYTES: Final = 500 * MIB
"""Memory that the process needs besides uploads: the runtime, a model, buffers."""

_FIX_FILE: Final = "Restore a backup, or move the file away to start with an empty database."
_FIX_SERVER: Final = "Check HANGTAG_DATABASE_URL, and that the database accepts connections from here."
_EXTRA_OPEN: Final = 0o077
_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def diagnose_service(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Return the findings about the service with these settings. Changes nothing: the database is only read."""
    return [
        *run_check("extra serve", lambda: check_packages("serve")),
        *run_check("settings", lambda: _check_settings(settings, environment)),
        *run_check("data folder", lambda: _check_data_folder(settings.data_folder)),
        *run_check("database", lambda: _check_database(settings)),
        *run_check("storage", lambda: _check_storage(settings)),
        *run_check("disk", lambda: _check_disk(settings)),
        *run_check("memory", lambda: _check_memory(settings)),
        *run_check("open files", _check_open_files),
        *run_check("page", lambda: _check_page(settings.page_folder)),
    ]


def _check_settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look for unknown variables, and for values that contradict each other."""
    fields = Settings.model_fields.items()
    known = {str(field.validation_alias or f"{_PREFIX}{name.upper()}") for name, field in fields}
    known |= _OTHER_VARIABLES
    good = True
    for name in sorted(environment):
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            good = False
            yield Finding(
                "settings", "warning", f"{name} is not a setting", f"{did_you_mean(name, known)}Remove it."
            )
    if settings.max_file_bytes > settings.max_request_bytes:
        good = False
        fix = "Raise HANGTAG_MAX_REQUEST_BYTES."
        yield Finding("settings", "warning", "a photo may be larger than a whole request", fix)
    if settings.catalogue is not None and not settings.catalogue.exists():
        good = False
        problem = f"{settings.catalogue}: the catalogue does not exist"
        yield Finding("settings", "warning", problem, "Correct HANGTAG_DATA or --catalogue.")
    if not settings.uses_accounts and settings.allowed_hosts:
        good = False
        problem = "other machines can reach this service through a proxy, and everyone may do everything"
        fix = "Set HANGTAG_ACCOUNTS=on, unless people sign in at the proxy."
        yield Finding("settings", "warning", problem, fix)
    if good:
        people = "people sign in" if settings.uses_accounts else "without accounts"
        yield Finding("settings", "ok", f"listens on {settings.host}:{settings.port}, {people}")


def _check_data_folder(folder: Path) -> Iterator[Finding]:
    """Check that the folder exists or can be created, is writable, and is closed to other users."""
    fix = "Choose another HANGTAG_DATA_FOLDER, or make it writable for the user of the service."
    if not folder.exists():
        parent = next(path for path in folder.absolute().parents if path.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            yield Finding(
                "data folder", "error", f"{folder} cannot be created: {parent} is not writable", fix
            )
        else:
            yield Finding("data folder", "ok", f"{folder} will be created at the first start")
        return
    if not folder.is_dir():
        yield Finding("data folder", "error", f"{folder} is a file", fix)
        return
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Finding("data folder", "error", f"{folder} is not writable ({error.strerror})", fix)
        return
    yield from _check_permissions(folder)


def _check_permissions(folder: Path) -> Iterator[Finding]:
    own = os.getuid()
    status = folder.stat()
    if status.st_uid != own:
        problem = f"{folder} belongs to user {status.st_uid}, and this is user {own}"
        yield Finding("data folder", "warning", problem, "Run hangtag as the user that owns the folder.")
    if stat.S_IMODE(status.st_mode) & _EXTRA_OPEN:
        problem = f"{folder} is open to other users of this machine (mode {stat.S_IMODE(status.st_mode):04o})"
        yield Finding("data folder", "warning", problem, f"Run `chmod {PRIVATE_FOLDER:o} {folder}`.")
    for path in sorted(folder.glob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_file() and mode & _EXTRA_OPEN:
            problem = f"{path.name} can be read by other users of this machine (mode {mode:04o})"
            yield Finding("data folder", "warning", problem, f"Run `chmod {PRIVATE_FILE:o} {path}`.")
            return
    yield Finding("data folder", "ok", str(folder))


def _check_database(settings: Settings) -> Iterator[Finding]:
    """Open the database, check a SQLite file page by page, and compare its revision with this version's."""
    path = settings.data_folder / DATABASE_NAME
    if not settings.database_url and not path.exists():
        yield Finding("database", "ok", "will be created at the first start")
        return
    url = parse_url(find_url(settings.database_url, settings.data_folder))
    is_file = url.get_backend_name() == "sqlite"
    where = url.database if is_file else url.render_as_string(hide_password=True)
    fix = _FIX_FILE if is_file else _FIX_SERVER
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            check = "PRAGMA quick_check(1)" if is_file else "SELECT 'ok'"
            found = str(connection.exec_driver_sql(check).scalar())
            revision = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        detail = (str(error.orig).strip().splitlines() or ["it cannot be opened"])[0]
        yield Finding("database", "error", f"{where}: {detail}", fix)
        return
    finally:
        engine.dispose()
    if found != "ok":
        yield Finding("database", "error", f"{where} is damaged: {found}", fix)
        return
    yield _judge_revision(revision, "SQLite" if is_file else "PostgreSQL")


def _judge_revision(revision: str | None, kind: str) -> Finding:
    known = list_revisions()
    if revision == known[0]:
        return Finding("database", "ok", f"{kind}, schema {revision}")
    if revision is None or revision in known:
        return Finding(
            "database", "ok", f"schema {revision or 'none'}; the next start brings it to {known[0]}"
        )
    problem = f"its schema {revision} is that of a newer hangtag"
    return Finding(
        "database",
        "error",
        problem,
        "Install the newer version again, or restore a backup from before the upgrade.",
    )


def _check_storage(settings: Settings) -> Iterator[Finding]:
    """Compare what is stored with the quotas, and report the retention. Databases of older versions are skipped."""
    engine = _open_as_it_is(settings)
    if engine is None:
        return
    try:
        if read_revision(engine) != list_revisions()[0]:
            return
        with engine.connect() as connection:
            used = measure_usage(connection)
    except DBAPIError:  # the check of the database reports it
        return
    finally:
        engine.dispose()
    parts = (
        (used.photo_bytes / 1e9, settings.quota_bytes and settings.quota_bytes / 1e9, "GB of photos", ",.1f"),
        (used.products, settings.quota_products, "products", ",d"),
    )
    stored = " and ".join(
        f"{count:{form}}{f' of {limit:{form}}' if limit else ''} {what}" for count, limit, what, form in parts
    )
    kept = f"batches are kept {f'for {settings.batch_days} days' if settings.batch_days else 'until deleted'}"
    message = f"{stored}; {kept}, the audit log for {settings.audit_days} days"
    if any(limit and count >= _NEARLY_FULL * limit for count, limit, *_ in parts):
        fix = (
            "Delete batches, set HANGTAG_BATCH_DAYS, or raise HANGTAG_QUOTA_BYTES or HANGTAG_QUOTA_PRODUCTS."
        )
        yield Finding("storage", "warning", message, fix)
    else:
        yield Finding("storage", "ok", message)


def _open_as_it_is(settings: Settings) -> Engine | None:
    """Return an engine for the database without migrating it; None if there is none yet."""
    if not settings.database_url and not (settings.data_folder / DATABASE_NAME).exists():
        return None
    return create_engine(parse_url(find_url(settings.database_url, settings.data_folder)))


def _check_disk(settings: Settings) -> Iterator[Finding]:
    folder = next(
        path for path in (settings.data_folder, *settings.data_folder.absolute().parents) if path.exists()
    )
    free = shutil.disk_usage(folder).free
    message = f"{free / 1e9:,.1f} GB free for the data folder"
    if free < _NO_DISK_BYTES:
        yield Finding("disk", "error", message, "Free some space: uploads are refused now.")
    elif free < _LITTLE_DISK_BYTES:
        yield Finding("disk", "warning", message, "Free some space before it is full.")
    else:
        yield Finding("disk", "ok", message)


def _check_memory(settings: Settings) -> Iterator[Finding]:
    """Compare the memory that the settings allow with that of the machine or the container."""
    available = min(_machine_bytes(), *(_read_limit(path) for path in _CGROUP_LIMITS))
    decoding = 8 * settings.max_pixels * (settings.threads or count_usable_cpus())
    needed = settings.max_upload_memory_bytes + decoding + _PROCESS_BYTES
    message = f"up to {needed / 1e9:.1f} GB may be needed; there are {available / 1e9:.1f} GB"
    if needed > available:
        fix = "Lower HANGTAG_MAX_UPLOAD_MEMORY_BYTES, HANGTAG_MAX_PIXELS or HANGTAG_THREADS, or add memory."
        yield Finding("memory", "warning", message, fix)
    else:
        yield Finding("memory", "ok", message)


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _read_limit(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return _machine_bytes()


def _check_open_files() -> Iterator[Finding]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    message = f"{limit:,} files and connections at a time"
    if limit < _FEW_FILES:
        fix = f"Raise it: `ulimit -n {_FEW_FILES}`, or LimitNOFILE= in the systemd unit."
        yield Finding("open files", "warning", message, fix)
    else:
        yield Finding("open files", "ok", message)


def _check_page(folder: Path) -> Iterator[Finding]:
    if any(folder.glob("*.html")):
        yield Finding("page", "ok", "built")
    else:
        fix = "Reinstall the package, or run `make page` in a checkout."
        yield Finding("page", "warning", f"{folder}: the page is not built; the API works without it", fix)
