"""What pytest is pointed at: ``pytest -p conformance.plugin --pyargs conformance.suite``.

The plugin collects the claims from here; there is nothing else in this file.
"""
