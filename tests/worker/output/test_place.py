"""The address of a storage, and addresses of what lies in it."""

import pytest

from worker.output.bucket import key_below
from worker.output.place import Place, parse_place, url_of


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("s3://outputs", Place(scheme="s3", bucket="outputs")),
        ("s3://outputs/", Place(scheme="s3", bucket="outputs")),
        ("supabase://out-puts/a/b/", Place(scheme="supabase", bucket="out-puts", prefix="a/b")),
    ],
)
def test_an_address_is_read(address: str, place: Place) -> None:
    """A slash at its end says nothing."""
    assert parse_place(address) == place
    assert str(parse_place(str(place))) == str(place)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "outputs",
        "gs://outputs",
        "s3://",
        "s3:///prefix",
        "s3://Outputs",
        "s3://o",
        "s3://key:secret@outputs",
        "s3://outputs/../other",
        "s3://outputs/a//b",
        "s3://outputs/a?b",
        "s3://outputs/a b",
    ],
)
def test_what_is_no_address_is_refused_with_what_is(address: str) -> None:
    """Without repeating it: a key may have been put into it."""
    with pytest.raises(ValueError, match="must be s3://bucket/prefix") as caught:
        parse_place(address)
    assert "secret" not in str(caught.value)


def test_objects_lie_under_the_prefix() -> None:
    """Or in the root, without a slash before them."""
    assert parse_place("s3://outputs/a").key("t", "f") == "a/t/f"
    assert parse_place("s3://outputs").key("t", "f") == "t/f"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://m.example.org/v/a/b.mp4", "a/b.mp4"),
        ("HTTPS://M.example.org/v/a/b%20c.mp4?x=1#y", "a/b c.mp4"),
        ("https://m.example.org/v/", None),
        ("https://m.example.org/v", None),
        ("https://m.example.org/w/a.mp4", None),
        ("https://m.example.org:444/v/a.mp4", None),
        ("http://m.example.org/v/a.mp4", None),
        ("https://m.example.org.evil.org/v/a.mp4", None),
        ("https://u@m.example.org/v/a.mp4", None),
        ("https://m.example.org/v/../a.mp4", None),
        ("https://m.example.org/v/%2E%2E/a.mp4", None),
        ("https://m.example.org/v//a.mp4", None),
        ("/v/a.mp4", None),
        ("https://[/v/a.mp4", None),
    ],
)
def test_an_address_below_a_base_names_an_object(url: str, key: str | None) -> None:
    """Of the same server, and without a way out of the base."""
    assert key_below(url, "https://m.example.org/v/") == key


def test_an_objects_address_is_encoded() -> None:
    """As a URL has to be."""
    assert url_of("https://m.example.org/", "a b/c.mp4") == "https://m.example.org/a%20b/c.mp4"
