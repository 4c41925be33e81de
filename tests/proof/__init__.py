"""What no quick test proves: how the source reads (`page`), and equal numbers to the bit (`same`).

They are run by hand, for the notes that close an issue, and are no part of the package or of `make
test`. They read source, plans and records as text, JSON and arrays and import nothing of the house,
so that they work across commits whose modules differ.
"""
