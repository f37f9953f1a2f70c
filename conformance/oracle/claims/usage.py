"""What the pages promise of a module that is copied, stored, loaded, cast or watched: it computes what it did before.

The agent does what a usage says, then calls the module; what comes out is held against the same documented equations,
evaluated on the parameters that it then has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from conformance.oracle.claims.call import expects
from conformance.oracle.claims.claim import (
    Claim,
    Evidence,
    Failure,
    Judgement,
    happened,
    severity_of,
    together,
    unsupported,
)
from conformance.oracle.claims.identity import IDENTITIES
from conformance.oracle.claims.second import curvature
from conformance.oracle.claims.uses import CELLS, LAYERS, Usage
from conformance.oracle.claims.values import gradient, value
from conformance.oracle.contract import Contract

SCENARIO = "usage"


_PLAIN_TORCH = ("float32", "float64")  # decompositions and norms are documented for these
USAGES = (
    Usage("state_dict", "a new module that loads its state_dict computes the same", "nn.Module.load_state_dict"),
    Usage("assigned", "a new module that loads its state_dict with assign=True computes the same",
          "nn.Module.load_state_dict: assign", ">=2.1"),
    Usage("meta", "a module made on the meta device, emptied onto the device and loaded computes the same",
          "nn.Module.to_empty"),
    Usage("deepcopy", "a deep copy computes the same", "nn.Module; copy.deepcopy"),
    Usage("pickle", "a pickled and unpickled module computes the same", "serialization notes"),
    Usage("save", "a saved state, loaded with default arguments, gives the same module", "torch.save, torch.load"),
    Usage("cast", "cast to float64 and back, it computes the same", "nn.Module.double, nn.Module.to"),
    Usage("moved", "moved to its own device, it computes the same", "nn.Module.to"),
    Usage("replaced", "with a parameter replaced by one of the same values, it computes the same", "nn.Module"),
    Usage("deleted", "with a parameter deleted and registered anew, it computes the same",
          "nn.Module.register_parameter"),
    Usage("data", "with other parameter data set in place, it computes with those", "nn.Module"),
    Usage("functional_call", "functional_call with other parameters computes with those", "torch.func.functional_call",
          differentiable=False),
    Usage("parametrized", "with a parameter parametrised by the identity, it computes the same",
          "nn.utils.parametrize.register_parametrization", differentiable=False),
    Usage("weight_norm", "with weight_norm, it computes with the normalised weight",
          "nn.utils.parametrizations.weight_norm", ">=2.1", False, _PLAIN_TORCH),
    Usage("orthogonal", "with orthogonal, it computes with the orthogonal weight",
          "nn.utils.parametrizations.orthogonal", ">=2.0", False, _PLAIN_TORCH),
    Usage("pruned", "with a parameter pruned, it computes with what is left of it", "nn.utils.prune",
          differentiable=False),
    Usage("frozen", "with requires_grad_(False), it computes the same and no parameter gets a gradient",
          "nn.Module.requires_grad_"),
    Usage("no_grad", "under no_grad, it computes the same and its outputs require no gradient", "torch.no_grad",
          differentiable=False),
    Usage("inference_mode", "under inference_mode, it computes the same and its outputs require no gradient",
          "torch.inference_mode", differentiable=False),
    Usage("hooks", "forward hooks and full backward hooks are called once each, and it computes the same",
          "nn.Module.register_forward_hook, register_full_backward_hook"),
    Usage("repeated", "called again, it computes the same", "equations"),
    Usage("nested", "as a part of another module, it computes the same and its parameters have its name before theirs",
          "nn.Module"),
    Usage("default_dtype", "made under another default dtype, its parameters have that dtype",
          "torch.set_default_dtype"),
    Usage("on_meta", "on the meta device, the outputs have the shapes that they have elsewhere", "meta device notes",
          differentiable=False),
    Usage("flattened", "after flatten_parameters, it computes the same", "nn.RNNBase.flatten_parameters",
          of=LAYERS),
    Usage("written_out", "the page's own code, which it calls equivalent, computes the same", "code-block", ">=2.3",
          False, ("float32",), ("torch.nn.RNN",), {
              "layout": ("time_first", "batch_first"), "nonlinearity": ("tanh",), "bias": (True,), "dropout": (0.0,),
              "bidirectional": (False,),
          }),
    Usage("second", "its second derivatives are those of the documented equations", "torch.autograd.grad: create_graph",
          dtypes=("float64",), of=(*LAYERS, *CELLS), tried={
              "gradients": (True,), "dropout": (0.0,), "nonlinearity": ("tanh",), "scale": (1.0,),
          }),
    Usage("autocast", "under autocast, outputs have their shapes and the type of autocast or float32, packed or not",
          "torch.autocast", dtypes=("float32",), of=(*LAYERS, *CELLS), differentiable=False),
    Usage("autocast_half", "under autocast to float16, they have their shapes and that type or float32, packed or not",
          "torch.autocast: dtype; pull request 112484", ">=2.3", False, ("float32",), (*LAYERS, *CELLS)),
    Usage("default_device", "with another default device, it and the packing functions compute where the input is",
          "torch.set_default_device", of=(*LAYERS, *CELLS)),
    Usage("by_keyword", "inputs passed by their documented names give the same", "Inputs", of=(*LAYERS, *CELLS)),
    Usage("based", "it is an nn.RNNBase, and computes the same", "nn.RNNBase", ">=2.3", of=LAYERS),
    Usage("unprojected", "proj_size, which only LSTM has, is refused", "Args", of=("torch.nn.RNN", "torch.nn.GRU")),
    Usage("packed_to", "moved or cast by whatever arguments Tensor.to takes, a packed input gives the same",
          "PackedSequence.to", of=LAYERS, tried={"layout": ("packed",)}),
    *IDENTITIES,
)  # fmt: skip
BY_NAME = {usage.name: usage for usage in USAGES}


def claims(contract: Contract) -> Iterator[Claim]:
    """One claim a usage, for contracts whose equations say what has to come out."""
    for usage in usages_of(contract):
        yield Claim(f"{contract.prefix}.usage.{usage.name}", contract.module, SCENARIO, usage.statement, usage.source,
                    partial(_kept, usage), releases=usage.releases)  # fmt: skip


def usages_of(contract: Contract) -> tuple[Usage, ...]:
    """What a contract is exercised with; nothing, where no equations say what has to come out."""
    if contract.equations is None or not contract.parameters:
        return ()
    return tuple(usage for usage in USAGES if not usage.of or contract.module in usage.of)


def _kept(usage: Usage, e: Evidence) -> Judgement:
    if e.case.usage != usage.name:
        return False
    if unsupported(e):
        return "unsupported"
    if not e.ok:
        return Failure(usage.statement, happened(e.seen), severity_of(e.seen))
    if wrong := e.seen["noticed"]:
        return Failure(usage.statement, "; ".join(wrong), "silent")
    if e.outputs is None:
        return False  # a claim of every call
    found = [value(port, e) for port in e.contract.outputs if e.case.layout in port.by_layout and expects(e, port)]
    if e.case.gradients and usage.differentiable:
        found.append(gradient(e))
    if usage.name == "second" and (curved := curvature(e)):
        found.append(curved)
    return "unsupported" if "unsupported" in found else together(found)
