"""Parts of hangtag that need more than the base install: an error that says what to install."""

import importlib.util

from hangtag.domain.errors import UsageError


def require_extra(extra: str, purpose: str, *modules: str) -> None:
    """Raise `UsageError` unless all modules of an extra are installed; `purpose` says what needs it.

    >>> require_extra("train", "training", "json")
    """
    if not all(map(_is_installed, modules)):
        raise missing_extra(extra, purpose)


def missing_extra(extra: str, purpose: str) -> UsageError:
    """Return the error that says what to install; several extras are separated by commas, as pip takes them.

    >>> print(missing_extra("train", "training"))
    training needs the extra `train`. Run `pip install 'hangtag[train]'`.
    """
    names = " and ".join(f"`{name}`" for name in extra.split(","))
    noun = "extras" if "," in extra else "extra"
    return UsageError(f"{purpose} needs the {noun} {names}", fix=f"Run `pip install 'hangtag[{extra}]'`.")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, or the module is blocked
        return False
