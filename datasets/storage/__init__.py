"""Where data lie: downloads, archives, the cache of parsed columns, and what is kept beside it.

Loaders come in to fetch, open and cache; the harness to reopen an entry of the cache and to write
files whole or not at all. What the files say is no business of this room.
"""

from recbench.datasets.storage.archives import Archive
from recbench.datasets.storage.cache import cached, locked, reopen, write_atomically
from recbench.datasets.storage.fetch import (
    MissingData,
    cache_directory,
    data_directory,
    digest_of,
    download,
    download_wheel,
    placed,
)
from recbench.datasets.storage.netflix_archives import intact, tar_members, zip_members, zip_names
from recbench.datasets.storage.overviews import overviews
from recbench.datasets.storage.ownership import is_marked, mark, remove_own, temporary_of

__all__ = [
    "Archive",
    "MissingData",
    "cache_directory",
    "cached",
    "data_directory",
    "digest_of",
    "download",
    "download_wheel",
    "intact",
    "is_marked",
    "locked",
    "mark",
    "overviews",
    "placed",
    "remove_own",
    "reopen",
    "tar_members",
    "temporary_of",
    "write_atomically",
    "zip_members",
    "zip_names",
]
