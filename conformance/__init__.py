"""A property-based conformance suite for ``torch.nn``: what documentation promises, held against what torch does."""

__version__ = "0.1.0"
