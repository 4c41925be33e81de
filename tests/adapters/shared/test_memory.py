"""What algorithms say about the memory they would need."""

import doctest

from recbench.adapters.shared import memory


def test_the_examples_are_true() -> None:
    results = doctest.testmod(memory)
    assert results.attempted > 0
    assert results.failed == 0


def test_what_just_fits_is_no_reason_to_skip() -> None:
    all_of_it = memory.reason_to_skip(4e6, 4, purpose="it", advice="less")
    a_byte_more = memory.reason_to_skip(4e6 + 1, 4, purpose="it", advice="less")
    assert all_of_it is None
    assert a_byte_more == "needs about 4 MB for it, 4 MB are allowed: less"
    assert memory.reason_to_skip_item_pairs(1000, 4, memory_mb=4) is None
    assert memory.reason_to_skip_item_pairs(1001, 4, memory_mb=4) is not None
