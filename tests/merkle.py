"""What a reader of the log does with its proofs (RFC 9162, 2.1.3 and 2.1.4), and a tree that is all at hand."""

from collections.abc import Sequence

from service.audit.rules import EMPTY, Nodes, fold, node_hash


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the nodes of a tree that is all at hand."""
    return lambda level, index: fold(leaves[index << level : (index + 1) << level])


def includes(leaf: bytes, position: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether `path` proves that the tree of `size` leaves with root `expected` holds `leaf` at `position`."""
    if not 0 <= position < size:
        return False
    here, last, found = position, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = node_hash(step, found)
            here, last = _climb(here, last)
        else:
            found = node_hash(found, step)
        here, last = here >> 1, last >> 1
    return last == 0 and found == expected


def extends(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree (new, new_root) begins with the tree (old, old_root)."""
    if old == new or old == 0:
        return not path and (old_root == new_root if old == new else old_root == EMPTY)
    if not 0 < old < new or not path:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            before, after = node_hash(step, before), node_hash(step, after)
            here, last = _climb(here, last)
        else:
            after = node_hash(after, step)
        here, last = here >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _climb(here: int, last: int) -> tuple[int, int]:
    """Skip the levels on which the right edge has no sibling."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last
