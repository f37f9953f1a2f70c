"""Usages: what is done with a module around a call. Shipped to the target with the agent, which calls them.

Each takes a :class:`Use` and gives the module that it called and the result. What it sees that breaks the documentation
of :class:`torch.nn.Module` it notes in ``noticed``; parameters that it changed it names in ``changed``. Like the agent
it needs torch and the standard library alone and keeps to what Python 3.8 knows.
"""

from __future__ import annotations

import copy
import functools
import inspect
import io
import itertools
import pickle
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:  # in the target, all of this is in one namespace
    from conformance.targets.tensors import _flat


class Use:
    """One module, how to make another like it, and how to call one."""

    def __init__(
        self,
        module: torch.nn.Module,
        again: Callable[..., torch.nn.Module],
        call: Callable[..., Any],
        packed: bool = False,
    ) -> None:
        self.module = module
        self.again = again
        self.call = call
        self.packed = packed
        self.noticed: list[str] = []
        self.changed: list[str] = []
        self.told: list[Any] = []  # tensors for the judge, beside the result
        self.file = b""  # one that another release saved
        self.kept = b""  # one for another release
        self.drawn: list[Any] = []  # the results under the seeds of the case
        self.after: list[Callable[[], None]] = []  # checks to be made when gradients have been taken

    def notice(self, wrong: bool, what: str) -> None:
        if wrong:
            self.noticed.append(what)

    def weights(self) -> list[str]:
        """The names of the parameters that are matrices: the first and the last."""
        names = [name for name, p in self.module.named_parameters() if p.dim() > 1]
        return list(dict.fromkeys(names[:1] + names[-1:]))


def plain(use: Use) -> tuple[torch.nn.Module, Any]:
    return use.module, use.call(use.module)


def state_dict(use: Use) -> tuple[torch.nn.Module, Any]:
    state = use.module.state_dict()
    own = [name for name, _ in (*use.module.named_parameters(), *use.module.named_buffers())]
    use.notice(list(state) != own, f"the state_dict has {list(state)}, the module {own}")
    fresh = use.again()
    for name in own[-1:]:
        less = {key: value for key, value in state.items() if key != name}
        use.notice(not _refused(fresh, less), f"a state without {name} was accepted")
        longer = dict(state, **{name: state[name].new_zeros((*state[name].shape, 2))})
        use.notice(not _refused(fresh, longer), f"a state with {name} of another shape was accepted")
    use.notice(
        not _refused(fresh, dict(state, unexpected=torch.zeros(1))), "a state with an unexpected key was accepted"
    )
    return _loaded(use, fresh, state)


def _refused(module: torch.nn.Module, state: dict[str, Any]) -> bool:
    try:
        module.load_state_dict(state)
    except RuntimeError:
        return True
    return False


def _loaded(use: Use, fresh: torch.nn.Module, state: dict[str, Any], **options: Any) -> tuple[torch.nn.Module, Any]:
    told = fresh.load_state_dict(state, **options)
    use.notice(bool(told.missing_keys or told.unexpected_keys), f"loading its own state gave {told}")
    fresh.train(use.module.training)
    return fresh, use.call(fresh)


def assigned(use: Use) -> tuple[torch.nn.Module, Any]:
    return _loaded(use, use.again(), use.module.state_dict(), assign=True)


def meta(use: Use) -> tuple[torch.nn.Module, Any]:
    empty = use.again(device="meta")
    use.notice(any(p.device.type != "meta" for p in empty.parameters()), "made on meta, a parameter is not there")
    like = next(use.module.parameters())
    return _loaded(use, empty.to_empty(device=like.device), use.module.state_dict())


def deepcopy(use: Use) -> tuple[torch.nn.Module, Any]:
    other = copy.deepcopy(use.module)
    shared = {p.data_ptr() for p in use.module.parameters() if p.numel()}
    use.notice(any(p.data_ptr() in shared for p in other.parameters() if p.numel()), "the copy shares memory with it")
    return other, use.call(other)


def pickled(use: Use) -> tuple[torch.nn.Module, Any]:
    other = pickle.loads(pickle.dumps(use.module))
    return other, use.call(other)


def save(use: Use) -> tuple[torch.nn.Module, Any]:
    file = io.BytesIO()
    torch.save(use.module.state_dict(), file)
    file.seek(0)
    return _loaded(use, use.again(), torch.load(file))


def state_kept(use: Use) -> tuple[torch.nn.Module, Any]:
    """For another release to load."""
    file = io.BytesIO()
    torch.save(use.module.state_dict(), file)
    use.kept = file.getvalue()
    return plain(use)


def state_given(use: Use) -> tuple[torch.nn.Module, Any]:
    """Of another release."""
    return _loaded(use, use.again(), torch.load(io.BytesIO(use.file)))


def whole(use: Use) -> tuple[torch.nn.Module, Any]:
    file = io.BytesIO()
    torch.save(use.module, file)
    file.seek(0)
    other = torch.load(file)
    return other, use.call(other)


def cast(use: Use) -> tuple[torch.nn.Module, Any]:
    dtype = next(use.module.parameters()).dtype
    wide = use.module.double()
    use.notice(any(p.dtype != torch.float64 for p in wide.parameters()), "double() left a parameter as it was")
    back = wide.to(dtype)
    use.notice(any(p.dtype != dtype for p in back.parameters()), f"to({dtype}) left a parameter as it was")
    return back, use.call(back)


def moved(use: Use) -> tuple[torch.nn.Module, Any]:
    there = use.module.to(next(use.module.parameters()).device)
    use.notice(there is not use.module, "to(device) is documented to change the module in place")
    return there, use.call(there)


def _names(use: Use) -> list[str]:
    return [name for name, _ in use.module.named_parameters()]


def replaced(use: Use) -> tuple[torch.nn.Module, Any]:
    """Other values, so that a module that goes on with the old ones is seen."""
    use.changed = _names(use)
    for name in use.changed:
        value = torch.nn.Parameter(-getattr(use.module, name).detach())
        setattr(use.module, name, value)
        use.notice(getattr(use.module, name) is not value, f"{name} is not the parameter that was set")
    return plain(use)


def deleted(use: Use) -> tuple[torch.nn.Module, Any]:
    use.changed = _names(use)
    values = {name: -p.detach() for name, p in use.module.named_parameters()}
    for name in values:
        delattr(use.module, name)
    for name, value in values.items():
        use.module.register_parameter(name, torch.nn.Parameter(value))
    use.notice(sorted(_names(use)) != sorted(values), f"registered {list(values)}, it has {_names(use)}")
    return plain(use)


def data(use: Use) -> tuple[torch.nn.Module, Any]:
    use.changed = _names(use)
    for parameter in use.module.parameters():
        parameter.data = -parameter.data
    return plain(use)


def functional_call(use: Use) -> tuple[torch.nn.Module, Any]:
    other = {name: -p.detach() for name, p in use.module.named_parameters()}
    result = use.call(lambda *args, **kwargs: torch.func.functional_call(use.module, other, args, kwargs))
    holder = torch.nn.Module()
    for name, value in other.items():
        holder.register_parameter(name, torch.nn.Parameter(value))
    use.changed = list(other)
    return holder, result


class _Identity(torch.nn.Module):  # type: ignore[misc]
    def forward(self, x: Any) -> Any:
        return x.clone()


def parametrized(use: Use) -> tuple[torch.nn.Module, Any]:
    for name in use.weights():
        torch.nn.utils.parametrize.register_parametrization(use.module, name, _Identity())
    return plain(use)


def weight_norm(use: Use) -> tuple[torch.nn.Module, Any]:
    use.changed = use.weights()
    for name in use.changed:
        torch.nn.utils.parametrizations.weight_norm(use.module, name)
        parameter = getattr(use.module.parametrizations, name).original0  # the magnitudes: doubled, they show
        parameter.data.mul_(2)
    return plain(use)


def orthogonal(use: Use) -> tuple[torch.nn.Module, Any]:
    use.changed = use.weights()
    for name in use.changed:
        torch.nn.utils.parametrizations.orthogonal(use.module, name)
    return plain(use)


def pruned(use: Use) -> tuple[torch.nn.Module, Any]:
    import torch.nn.utils.prune  # torch does not import it by itself

    use.changed = use.weights()
    for name in use.changed:
        torch.nn.utils.prune.l1_unstructured(use.module, name, amount=0.5)
    return plain(use)


def frozen(use: Use) -> tuple[torch.nn.Module, Any]:
    use.notice(use.module.requires_grad_(False) is not use.module, "requires_grad_ is documented to return the module")

    def check() -> None:
        given = [name for name, p in use.module.named_parameters() if p.grad is not None]
        use.notice(bool(given), f"frozen parameters got gradients: {given}")

    use.after.append(check)
    return plain(use)


def no_grad(use: Use) -> tuple[torch.nn.Module, Any]:
    with torch.no_grad():
        return plain(use)


def inference_mode(use: Use) -> tuple[torch.nn.Module, Any]:
    with torch.inference_mode():
        return plain(use)


def hooks(use: Use) -> tuple[torch.nn.Module, Any]:
    """Forward hooks must fire with the call, those of parameters and the full backward hook with the gradients."""
    fired = {"forward pre-hook": 0, "forward hook": 0}

    def note(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            fired[name] = fired.get(name, 0) + 1

        return hook

    use.module.register_forward_pre_hook(note("forward pre-hook"))
    use.module.register_forward_hook(note("forward hook"))
    for name, parameter in use.module.named_parameters():
        parameter.register_hook(note(f"hook of {name}"))
    module, result = plain(use)
    for name, count in fired.items():
        use.notice(count != 1, f"the {name} was called {count} times")

    def check() -> None:
        missing = [name for name in _names(use) if fired.get(f"hook of {name}") != 1]
        use.notice(bool(missing), f"hooks of these parameters were not called once: {missing}")

    use.after.append(check)
    return module, result


def repeated(use: Use) -> tuple[torch.nn.Module, Any]:
    use.call(use.module)
    return plain(use)


def nested(use: Use) -> tuple[torch.nn.Module, Any]:
    parent = torch.nn.Module()
    parent.part = use.module
    names, own = [n for n, _ in parent.named_parameters()], [f"part.{n}" for n in _names(use)]
    use.notice(names != own, f"in a part, the parameters are called {names}")
    return use.module, use.call(parent.part)


def default_dtype(use: Use) -> tuple[torch.nn.Module, Any]:
    wanted, before = next(use.module.parameters()).dtype, torch.get_default_dtype()
    torch.set_default_dtype(wanted)
    try:
        fresh = use.again(dtype=None)
    finally:
        torch.set_default_dtype(before)
    use.notice(any(p.dtype != wanted for p in fresh.parameters()), f"a parameter is not {wanted}, the default")
    return _loaded(use, fresh, use.module.state_dict())


def on_meta(use: Use) -> tuple[torch.nn.Module, Any]:
    """What torch itself derives of the shapes, without values."""
    module, result = plain(use)
    if use.packed:
        return module, result  # no page says that packed sequences may be on meta
    there = use.again(device="meta")
    there.train(module.training)
    seen, expected = ([tuple(t.shape) for t in _flat(r)] for r in (use.call(there, device="meta"), result))
    use.notice(seen != expected, f"on meta {seen}, elsewhere {expected}")
    return module, result


def flattened(use: Use) -> tuple[torch.nn.Module, Any]:
    use.module.flatten_parameters()
    return plain(use)


def written_out(use: Use) -> tuple[torch.nn.Module, Any]:
    """The code that the page of the class shows, run with this module for its own."""
    module = use.module
    lines = inspect.cleandoc(type(module).__doc__ or "").partition(".. code-block:: python")[2].splitlines()
    block = list(itertools.takewhile(lambda line: not line or line.startswith(" "), lines[1:]))
    names = dict(vars(module), torch=torch, nn=torch.nn)
    for label in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):  # which the page speaks of, by layer
        names[label] = [getattr(module, f"{label}_l{k}") for k in range(module.num_layers)]
    exec(textwrap.dedent("\n".join(block)), names)
    names.update({name: module for name, value in names.items() if type(value) is type(module)})
    names["params"] = dict(module.named_parameters())
    forward = names["forward"]
    told = {"batch_first": module.batch_first} if "batch_first" in inspect.signature(forward).parameters else {}
    with torch.no_grad():
        return module, use.call(functools.partial(forward, **told))


USAGES: dict[str, Callable[[Use], tuple[torch.nn.Module, Any]]] = {
    "plain": plain, "state_dict": state_dict, "assigned": assigned, "meta": meta, "deepcopy": deepcopy,
    "pickle": pickled, "save": save, "state_kept": state_kept, "state_given": state_given, "whole": whole,
    "cast": cast, "moved": moved, "replaced": replaced, "deleted": deleted,
    "data": data, "functional_call": functional_call, "parametrized": parametrized, "weight_norm": weight_norm,
    "orthogonal": orthogonal, "pruned": pruned, "frozen": frozen, "no_grad": no_grad,
    "inference_mode": inference_mode, "hooks": hooks, "repeated": repeated, "nested": nested,
    "default_dtype": default_dtype, "flattened": flattened, "on_meta": on_meta, "written_out": written_out,
}  # fmt: skip


def effective(use: Use, module: torch.nn.Module) -> dict[str, Any]:
    """The parameters that a usage changed, as the module has them now."""
    return {name: getattr(module, name) for name in use.changed}
