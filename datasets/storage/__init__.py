"""Where data lie: downloads, archives, the cache of parsed columns, and what is kept beside it.

Loaders come in to fetch, open and cache, and parsing to open archives; the harness to reopen an
entry of the cache, and `verify` to check one; the command lines of data and of the doctor for what
lies where; and from everywhere who writes a file whole or not at all. What the files say is no
business of this room.
"""

from recbench.datasets.storage.archives import GZIP_MAGIC, Archive, list_file_names, stream_members
from recbench.datasets.storage.cache import (
    check_entry,
    hold_lock,
    load_cached,
    reopen_entry,
    write_atomically,
)
from recbench.datasets.storage.cached_entries import clear_cache, list_entries
from recbench.datasets.storage.fetch import (
    MissingData,
    cache_directory,
    data_directory,
    digest_of,
    download_file,
    download_wheel,
    find_placed,
    refuse_other_file,
)
from recbench.datasets.storage.kept_frames import keep_parquet
from recbench.datasets.storage.markers import (
    is_marked,
    mark_directory,
    remove_own_files,
    temporary_pattern,
)
from recbench.datasets.storage.overviews import attach_overviews, match_overviews

__all__ = [
    "GZIP_MAGIC",
    "Archive",
    "MissingData",
    "attach_overviews",
    "cache_directory",
    "check_entry",
    "clear_cache",
    "data_directory",
    "digest_of",
    "download_file",
    "download_wheel",
    "find_placed",
    "hold_lock",
    "is_marked",
    "keep_parquet",
    "list_entries",
    "list_file_names",
    "load_cached",
    "mark_directory",
    "match_overviews",
    "refuse_other_file",
    "remove_own_files",
    "reopen_entry",
    "stream_members",
    "temporary_pattern",
    "write_atomically",
]
