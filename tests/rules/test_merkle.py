"""The log's tree against RFC 6962's published hashes, and its proofs against a tree built the plain way."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit import rules
from service.audit.rules import Edge, leaf_hash, node_hash
from tests.merkle import extends, includes, nodes_of

# The inputs and roots that the Certificate Transparency reference implementations test against.
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(data) for data in INPUTS]


def test_an_empty_log_has_the_root_of_nothing():
    assert Edge().root() == hashlib.sha256(b"").digest() == rules.root(0, nodes_of([]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_standard(size):
    edge = Edge()
    for leaf in LEAVES[:size]:
        edge.add(leaf)
    assert edge.root().hex() == ROOTS[size - 1]
    assert rules.root(size, nodes_of(LEAVES)).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("position", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]),
        (5, 8, [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]),
        (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    ],
)  # fmt: skip
def test_inclusion_proofs_are_those_of_the_standard(position, size, path):
    assert [step.hex() for step in rules.inclusion_proof(position, size, nodes_of(LEAVES))] == path


def test_consistency_proofs_are_those_of_the_standard():
    proof = [step.hex() for step in rules.consistency_proof(6, 8, nodes_of(LEAVES))]
    assert proof == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert rules.consistency_proof(1, 1, nodes_of(LEAVES)) == []


def plain_root(leaves):
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(plain_root(leaves[:k]), plain_root(leaves[k:]))


def some_leaves(count):
    return [leaf_hash(str(n).encode()) for n in range(count)]


@given(st.integers(0, 300))
@settings(max_examples=60, deadline=None)
def test_the_right_edge_alone_tells_the_root(size):
    leaves, edge = some_leaves(size), Edge()
    for leaf in leaves:
        edge = Edge(edge.size, edge.hashes)
        edge.add(leaf)
    assert edge.root() == plain_root(leaves) == rules.root(size, nodes_of(leaves))


@given(st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_completed_subtrees_are_named_by_level_and_place(size):
    leaves, edge = some_leaves(size), Edge()
    completed = [node for leaf in leaves for node in edge.add(leaf)]
    assert sorted((level, index) for level, index, _ in completed) == [
        (level, index) for level in range(1, size.bit_length()) for index in range(size >> level)
    ]
    assert all(value == nodes_of(leaves)(level, index) for level, index, value in completed)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_leaf_is_proven_where_it_stands_and_nowhere_else(data):
    size = data.draw(st.integers(1, 130))
    position, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    nodes, root = nodes_of(leaves), plain_root(leaves)
    path = rules.inclusion_proof(position, size, nodes)
    assert includes(leaves[position], position, size, path, root)
    assert includes(leaves[other], position, size, path, root) == (other == position)
    assert includes(leaves[position], other, size, path, root) == (other == position)
    assert not includes(leaves[position], position, size, [*path, root], root)
    assert not includes(leaves[position], size, size, path, root)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_log_that_grew_proves_what_it_was(data):
    new = data.draw(st.integers(1, 130))
    old = data.draw(st.integers(0, new))
    leaves = some_leaves(new)
    nodes = nodes_of(leaves)
    path = rules.consistency_proof(old, new, nodes)
    old_root, new_root = plain_root(leaves[:old]), plain_root(leaves)
    assert extends(old, old_root, new, new_root, path)
    assert not extends(old, leaf_hash(b"other"), new, new_root, path)
    if old:
        assert not extends(old, old_root, new, leaf_hash(b"other"), path)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_rewritten_log_cannot_prove_its_past(data):
    new = data.draw(st.integers(2, 100))
    old = data.draw(st.integers(1, new - 1))
    leaves = some_leaves(new)
    old_root = plain_root(leaves[:old])
    leaves[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
    path = rules.consistency_proof(old, new, nodes_of(leaves))
    assert not extends(old, old_root, new, plain_root(leaves), path)


def test_a_leaf_is_no_node():
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != node_hash(LEAVES[0], LEAVES[1])


def test_an_edge_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="complete subtrees"):
        Edge(5, [LEAVES[0]])
