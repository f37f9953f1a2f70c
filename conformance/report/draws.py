"""The part of a script that shows what torch draws: under each seed of a case, and once more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def made(seeds: Iterable[int], constructor: Iterable[str]) -> Iterator[str]:
    """The module made under each seed, the last one then reset: the range and the first elements of each parameter."""
    lines = list(constructor)
    for seed in seeds:
        yield f"torch.manual_seed({int(seed)})"
        yield from lines
        yield from _parameters(f"seed {int(seed)}")
    yield "module.reset_parameters()"
    yield from _parameters("reset")


def _parameters(when: str) -> Iterator[str]:
    yield "for name, p in module.named_parameters():"
    yield f'    print("{when}:", name, p.min().item(), p.max().item(), p.flatten()[:4].tolist())'


def called(seeds: Iterable[int], call: str, returns: str, packed: bool) -> Iterator[str]:
    """The first output of a call under each seed, and of one more without seeding."""
    shown = returns.partition(",")[0].strip("( ")
    shown = f"{shown}.data" if packed else shown
    for seed in seeds:
        yield f"torch.manual_seed({int(seed)})"
        yield f"{returns} = {call}"
        yield f'print("seed {int(seed)}:", {shown}.flatten()[:8].tolist())'
    yield f"{returns} = {call}"
    yield f'print("unseeded:", {shown}.flatten()[:8].tolist())'
