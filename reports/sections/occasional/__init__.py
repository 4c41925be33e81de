"""Sections that only some runs have: those with traces, with tuned rows, with samples that grow,
with new users, with models that were asked for their latency.

Each is found as those of the room above are, and describes its answer in the same blocks.
"""
