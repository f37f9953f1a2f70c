"""A module of somebody else's: what a third party brings. It runs in the target, where torch is."""

import torch


class Scale(torch.nn.Module):
    r"""Multiplies each feature by a weight of its own: :math:`y = x \cdot w + b`.

    Args:
        features: size of the last dimension of the input
        bias: If set to ``False``, the layer will not learn an additive bias. Default: ``True``

    Shape:
        - Input: :math:`(*, H)` where :math:`*` means any number of dimensions including none and
          :math:`H = \text{features}`.
        - Output: :math:`(*, H)` where all but the last dimension are the same shape as the input.

    Attributes:
        weight: the learnable weights of the module of shape :math:`(\text{features})`.
        bias: the learnable bias of the module of shape :math:`(\text{features})`.
    """

    def __init__(self, features, bias=True, device=None, dtype=None):
        super().__init__()
        self.features = features
        self.weight = torch.nn.Parameter(torch.ones(features, device=device, dtype=dtype))
        zeros = torch.nn.Parameter(torch.zeros(features, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", zeros)

    def forward(self, input):
        if input.shape[-1:] != self.weight.shape:
            raise ValueError(f"expected {self.features} features, got {tuple(input.shape)}")
        scaled = input * self.weight
        return scaled if self.bias is None else scaled + self.bias
