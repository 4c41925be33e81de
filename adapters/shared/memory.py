"""Whether an algorithm fits into memory: the reasons that `Recommender.skip` gives."""

BYTES_PER_MB = 1e6  # limits are counted in 2**20 bytes, so an estimate is 5 % on the safe side


def megabytes(n_bytes: float) -> float:
    """`n_bytes` in megabytes."""
    return n_bytes / BYTES_PER_MB


def reason_to_skip(n_bytes: float, memory_mb: float, *, purpose: str, advice: str) -> str | None:
    """Why an algorithm that needs `n_bytes` cannot run within `memory_mb`; None if it can.

    >>> reason_to_skip(24e9, 8000, purpose="its neighbours", advice="lower k")
    'needs about 24,000 MB for its neighbours, 8,000 MB are allowed: lower k'
    """
    needed_mb = megabytes(n_bytes)
    if needed_mb <= memory_mb:
        return None
    return (
        f"needs about {needed_mb:,.0f} MB for {purpose}, {memory_mb:,.0f} MB are allowed: {advice}"
    )


def reason_to_skip_item_pairs(n_items: int, bytes_per_pair: int, memory_mb: float) -> str | None:
    """Why dense matrices over all pairs of items do not fit into `memory_mb`; None if they do.

    `bytes_per_pair` are those of all matrices that are held at the same time.
    """
    return reason_to_skip(
        bytes_per_pair * n_items**2,
        memory_mb,
        purpose=f"dense matrices over {n_items:,} x {n_items:,} items",
        advice="raise the memory limit or filter the data",
    )
