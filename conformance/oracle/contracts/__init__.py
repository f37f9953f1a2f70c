"""The contracts, one file a family. A file's ``CONTRACTS`` are found by themselves."""
