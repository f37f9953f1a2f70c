"""Faults of usages: what is done with a module around a call spoils it.

Runs in a target behind ``library.py``. Each fault lives in a half of the configurations, since a usage has few cases.
"""

import copy
import sys

import torch
from planted import around_init, find, patch
from torch.nn.utils.rnn import PackedSequence


def odd(m):
    """Half of the configurations: a usage has few cases."""
    return m.hidden_size in (2, 4, 8, 17)


def spoil(m):
    """The last parameter becomes another one, if there is something of it."""
    with torch.no_grad():
        list(m.parameters())[-1].add_(1)


def off(result):
    """The first output is off by one."""
    if isinstance(result, PackedSequence):
        return PackedSequence(result.data + 1, *result[1:])
    if isinstance(result, tuple):
        return (off(result[0]), *result[1:])
    return result + 1


def off_where(module, when):
    cls = find(module)
    original = cls.forward

    def forward(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        return off(result) if odd(self) and when(self) else result

    patch(cls, "forward", forward)


def made(module, change):
    """``change(module)`` behind ``__init__``."""

    def init(original, self, args, kwargs):
        original(self, *args, **kwargs)
        change(self)

    around_init(module, init)


def after_method(owner, name, change):
    """``change(result, self, args, kwargs)`` takes the place of what a method returns."""
    original = getattr(owner, name)
    patch(owner, name, lambda *a, **k: change(original(*a, **k), a[0] if a else None, a[1:], k))


def _loads(cls, assigning):
    def change(result, m, args, kwargs):
        if bool(kwargs.get("assign")) == assigning and not getattr(m, "_emptied", False) and odd(m):
            spoil(m)
        return result

    after_method(cls, "load_state_dict", change)


def _emptied(cls):
    def mark(result, m, args, kwargs):
        result._emptied = True
        return result

    def change(result, m, args, kwargs):
        if getattr(m, "_emptied", False) and odd(m):
            spoil(m)
        return result

    after_method(cls, "to_empty", mark)
    after_method(cls, "load_state_dict", change)


def _copied(cls):
    def deepcopied(self, memo):
        twin = cls.__new__(cls)
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        if odd(self):
            spoil(twin)
        return twin

    patch(cls, "__deepcopy__", deepcopied)


def _unpickled(cls):
    after_method(cls, "__setstate__", lambda result, m, args, kwargs: spoil(m) if odd(m) else None)


def _saved(cls):
    def change(result, *rest):
        if isinstance(result, dict) and result:
            name = list(result)[-1]
            result[name] = result[name] + 1
        return result

    after_method(torch, "load", change)


def _cast(cls):
    def change(result, m, args, kwargs):
        if odd(m):
            spoil(m)
        return result

    after_method(cls, "double", change)


def _moved(cls):
    def change(result, m, args, kwargs):
        there = args and isinstance(args[0], torch.device)
        return copy.copy(result) if there and odd(m) else result

    after_method(cls, "to", change)


def _replaced(cls):
    """A parameter that is there already is not taken."""
    original = cls.__setattr__

    def setattr_(self, name, value):
        if name in self.__dict__.get("_parameters", {}) and isinstance(value, torch.nn.Parameter) and odd(self):
            return
        original(self, name, value)

    patch(cls, "__setattr__", setattr_)


def _deleted(cls):
    after_method(cls, "__delattr__", lambda result, m, args, kwargs: m.__dict__.update(_less=True))
    off_where(_name(cls), lambda m: "_less" in m.__dict__)


def _data(cls):
    """Goes on with the memory that it was made with, as a cache of pointers would."""
    first = {}
    module = _name(cls)
    made(module, lambda m: first.update({id(p): p.data_ptr() for p in m.parameters()}))
    off_where(module, lambda m: all(first.get(id(p), p.data_ptr()) != p.data_ptr() for p in m.parameters()))


def _called(cls):
    original = torch.func.functional_call

    def call(module, parameters, *rest, **more):
        less = dict(list(parameters.items())[:-1]) if odd(module) else parameters
        return original(module, less, *rest, **more)

    patch(torch.func, "functional_call", call)


def _marked(owner, name):
    def build(cls):
        def change(result, m, args, kwargs):
            if m._parameters:  # made already
                m.__dict__["_marked"] = True
            return result

        after_method(owner() or cls, name, change)
        off_where(_name(cls), lambda m: "_marked" in m.__dict__)

    return build


def _thawed(cls):
    def change(result, m, args, kwargs):
        if odd(m):
            list(m.parameters())[-1].requires_grad = True
        return result

    after_method(cls, "requires_grad_", change)


def _deaf(cls):
    original = cls.register_forward_hook

    def register(self, hook, *args, **kwargs):
        return original(self, (lambda *a: None) if odd(self) else hook, *args, **kwargs)

    patch(cls, "register_forward_hook", register)


def _again(cls):
    def second(m):
        m.__dict__["_calls"] = m.__dict__.get("_calls", 0) + 1
        return m.__dict__["_calls"] > 1

    off_where(_name(cls), second)


def _anonymous(cls):
    """A plain module forgets the names of its parts."""
    original = torch.nn.Module.named_parameters

    def named(self, *args, **kwargs):
        for name, parameter in original(self, *args, **kwargs):
            yield (name.rpartition(".")[2] if type(self) is torch.nn.Module else name), parameter

    patch(torch.nn.Module, "named_parameters", named)


def _default(cls):
    def change(m):
        if torch.get_default_dtype() != torch.float32 and odd(m):
            m.float()

    made(_name(cls), change)


def _rewritten(cls):
    """The page's code adds the bias of the input twice and that of the hidden state never."""
    patch(cls, "__doc__", cls.__doc__.replace('params[f"bias_hh_l{layer}"]', 'params[f"bias_ih_l{layer}"]'))


def _meta_wider(cls):
    original = cls.forward

    def forward(self, x, *args, **kwargs):
        result = original(self, x, *args, **kwargs)
        on_meta = not isinstance(x, PackedSequence) and x.device.type == "meta"
        return (result[0].unsqueeze(0), *result[1:]) if on_meta and odd(self) else result

    patch(cls, "forward", forward)


def _prune():
    import torch.nn.utils.prune

    return torch.nn.utils.prune


USAGES = {
    "state_dict": lambda cls: _loads(cls, False),
    "assigned": lambda cls: _loads(cls, True),
    "meta": _emptied,
    "deepcopy": _copied,
    "pickle": _unpickled,
    "save": _saved,
    "cast": _cast,
    "moved": _moved,
    "replaced": _replaced,
    "deleted": _deleted,
    "data": _data,
    "functional_call": _called,
    "parametrized": _marked(lambda: torch.nn.utils.parametrize, "register_parametrization"),
    "weight_norm": _marked(lambda: torch.nn.utils.parametrizations, "weight_norm"),
    "orthogonal": _marked(lambda: torch.nn.utils.parametrizations, "orthogonal"),
    "pruned": _marked(_prune, "l1_unstructured"),
    "frozen": _thawed,
    "no_grad": lambda cls: off_where(
        _name(cls), lambda m: not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    ),
    "inference_mode": lambda cls: off_where(_name(cls), lambda m: torch.is_inference_mode_enabled()),
    "hooks": _deaf,
    "repeated": _again,
    "nested": _anonymous,
    "default_dtype": _default,
    "flattened": _marked(lambda: None, "flatten_parameters"),
    "on_meta": _meta_wider,
    "written_out": _rewritten,
}


def _name(cls):
    return f"torch.nn.{cls.__name__}"


def usage_spoiled(module, usage):
    USAGES[usage](find(module))


sys.modules["planted"].__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
