"""The command line: one module a command, files in and files out, on the same workflows as the app.

Nothing prints here; ``python -m genomap_core`` does.
"""
