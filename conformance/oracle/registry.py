"""Every contract there is: the built-in ones, those of installed packages, those of a file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from conformance.oracle import contracts as package
from conformance.oracle.claims import Claim, claims_of
from conformance.oracle.contract import Contract

ENTRY_POINT = "conformance.contracts"


class ContractError(ValueError):
    """Contracts that cannot be loaded, or a name that no contract has."""


@cache
def builtin() -> tuple[Contract, ...]:
    """The contracts of this package, one file a family of ``torch.nn``."""
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    return tuple(contract for module in modules for contract in module.CONTRACTS)


def from_file(path: str) -> tuple[Contract, ...]:
    """The ``CONTRACTS`` of a Python file."""
    if not Path(path).is_file():
        raise ContractError(f"--contracts {path!r}: there is no such file; pass a .py file that defines CONTRACTS")
    spec = importlib.util.spec_from_file_location(f"conformance_contracts_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ContractError(f"--contracts {path!r} is not a Python file; pass a .py file that defines CONTRACTS")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file may raise
        raise ContractError(f"--contracts {path!r} cannot be loaded: {type(error).__name__}: {error}") from error
    return _checked(getattr(module, "CONTRACTS", None), path)


def _checked(found: object, origin: str) -> tuple[Contract, ...]:
    if not isinstance(found, Sequence) or not all(isinstance(c, Contract) for c in found):
        raise ContractError(f"{origin} must define CONTRACTS, a tuple of Contract; it has {type(found).__name__}")
    return tuple(found)


@cache
def contracts(files: tuple[str, ...] = ()) -> tuple[Contract, ...]:
    """All contracts by module name; a later one replaces an earlier one of the same module."""
    found = {contract.module: contract for contract in builtin()}
    for point in entry_points(group=ENTRY_POINT):
        try:
            loaded = point.load()
        except Exception as error:  # whatever a package may raise
            raise ContractError(
                f"entry point {point.name} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        found.update((c.module, c) for c in _checked(loaded, f"entry point {point.name}"))
    for path in files:
        found.update((c.module, c) for c in from_file(path))
    return tuple(found.values())


def contract_of(module: str, files: tuple[str, ...] = ()) -> Contract:
    """The contract of this module; only registered modules can ever be constructed."""
    for contract in contracts(files):
        if contract.module == module:
            return contract
    known = ", ".join(c.module for c in contracts(files))
    raise ContractError(f"no contract for {module!r}; there are contracts for {known}")


def select(module: Iterable[str], claim: Iterable[str], files: tuple[str, ...] = ()) -> list[Claim]:
    """The claims whose module and id match one of the globs (all, where none is given)."""
    modules, ids = list(module), list(claim)
    chosen = [c for c in contracts(files) if not modules or any(_matches(c.module, glob) for glob in modules)]
    if not chosen:
        known = ", ".join(c.module for c in contracts(files))
        raise ContractError(f"--module {' '.join(modules)} matches no module; there are contracts for {known}")
    found = [c for contract in chosen for c in claims_of(contract) if not ids or any(fnmatchcase(c.id, g) for g in ids)]
    if not found:
        raise ContractError(f"--claim {' '.join(ids)} matches no claim; `conformance claims` lists them")
    return found


def _matches(module: str, glob: str) -> bool:
    """``LSTM``, ``nn.LSTM`` and ``torch.nn.*`` all say what they mean."""
    return any(fnmatchcase(module, f"{before}{glob}") for before in ("", "torch.nn.", "torch.", "torch.nn.utils.rnn."))
