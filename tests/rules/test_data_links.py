"""Signed addresses: whole, for one object, and not to be made by anybody else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.data.rules import links
from service.data.rules.links import Link
from service.data.rules.refusals import LinkInvalid

KEY = b"k" * 32
LINK = Link("parking", "files/data.csv", "excel", "g1", 2, 7, links.TOKEN, "ab" * 32, 1_800_000_000)


def test_what_was_sealed_opens_again_for_the_same_object():
    assert links.open_link(links.seal_link(LINK, KEY), KEY, dataset_id="parking", name="files/data.csv") == LINK


@pytest.mark.parametrize(
    ("key", "dataset", "name"),
    [
        (b"x" * 32, "parking", "files/data.csv"),
        (KEY, "flights", "files/data.csv"),
        (KEY, "parking", "files/data.jsonl"),
    ],
)
def test_it_opens_nothing_for_another_key_dataset_or_object(key, dataset, name):
    with pytest.raises(LinkInvalid):
        links.open_link(links.seal_link(LINK, KEY), key, dataset_id=dataset, name=name)


@given(st.integers(0, 400), st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(place, by):
    text = bytearray(links.seal_link(LINK, KEY).encode())
    place %= len(text)
    text[place] ^= by
    with pytest.raises(LinkInvalid):
        links.open_link(text.decode("latin-1"), KEY, dataset_id="parking", name="files/data.csv")


@given(st.text(max_size=300))
def test_a_made_up_link_never_opens(text):
    for one in (text, links.PREFIX + text):
        with pytest.raises(LinkInvalid):
            links.open_link(one, KEY, dataset_id="parking", name="files/data.csv")


def test_it_ends_at_its_second():
    end = datetime(2027, 1, 15, 8, tzinfo=UTC)
    link = replace(LINK, until=int(end.timestamp()))
    assert link.ended(end) and not link.ended(end.replace(hour=7, minute=59, second=59))


def test_the_log_masks_it_wherever_it_stands():
    from service.base.log import mask

    sealed = links.seal_link(LINK, KEY)
    assert sealed not in mask(f"GET /files/data.csv?link={sealed} HTTP/1.1")
