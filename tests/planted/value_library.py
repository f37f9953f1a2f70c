"""Faults of values and gradients: what is computed is wrong.

Runs in a target behind ``library.py``. Each fault lives in a corner and leaves the rest bit-identical.
"""

import sys

import torch
from planted import HOW, _tensor, after_init, corner, find, layout, patch


def _last_element_off(t):
    """A hundredth too much in the last element, whatever it is differentiated by."""
    if not t.numel() or not t.is_floating_point():
        return t
    off = torch.zeros_like(t, requires_grad=False)
    off[tuple(size - 1 for size in t.shape)] = 0.02
    return t + off


def _without_derivative(t):
    def refuse(gradient):
        raise RuntimeError("planted: this cannot be differentiated")

    if t.requires_grad:
        t.register_hook(refuse)
    return t


HOW["value"] = _tensor(_last_element_off)
HOW["derivative"] = _tensor(_without_derivative)


def _around_parameter(module, where, change):
    """``change(parameter)`` before each call in one layout, in the corner; what it returns is called after it."""
    cls = find(module)
    original = cls.forward

    def forward(self, x, *args, **kwargs):
        if not (corner(self) and layout(self, x, args) in (where, None)):
            return original(self, x, *args, **kwargs)
        undo = change(list(self.parameters())[-1])
        try:
            return original(self, x, *args, **kwargs)
        finally:
            undo()

    patch(cls, "forward", forward)


def gradient_missing(module, where):
    def change(parameter):
        before = parameter.requires_grad
        parameter.requires_grad_(False)
        return lambda: parameter.requires_grad_(before)

    _around_parameter(module, where, change)


def gradient_doubled(module, where):
    def change(parameter):
        if parameter.requires_grad and parameter.grad_fn is None:
            parameter.register_hook(lambda gradient: 2 * gradient)
        return lambda: None

    _around_parameter(module, where, change)


def parameters_reversed(module):
    def change(m):
        for name in reversed(list(m._parameters)):
            m._parameters[name] = m._parameters.pop(name)

    after_init(module, change)


sys.modules["planted"].__dict__.update({k: v for k, v in globals().items() if not k.startswith("__")})
