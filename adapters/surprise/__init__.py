"""scikit-surprise's eleven algorithms: fitted by the library, answered in bulk.

Nobody comes in: adapters are found by themselves. Answers equal those of the library's `predict`.
"""
