"""Messages name a source and keep its secrets."""

import pytest

from worker.inputs.sources import scheme_of, shown


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("/a/b?c@d.png", "/a/b?c@d.png"),
        ("http://a/b.png", "http://a/b.png"),
        ("http://a:80/b@2x.png", "http://a:80/b@2x.png"),
        ("http://[::1]:80/b", "http://[::1]:80/b"),
        ("http://a", "http://a"),
        ("http://a/b?token=secret", "http://a/b?…"),
        ("http://a?secret", "http://a?…"),
        ("http://a/b#secret", "http://a/b"),
        ("http://a/b#x?secret", "http://a/b"),
        ("http://user:secret@a/b", "http://a/b"),
        ("http://user:sec@ret@a/b", "http://a/b"),
        ("http://user\\:secret@a/b", "http://a/b"),
        ("http://user:sec/ret@a/b", "http://…"),
        ("http://user:sec?ret@a/b", "http://…"),
        ("http://user:sec#ret@a/b", "http://…"),
    ],
)
def test_a_url_is_named_without_user_query_and_fragment(source: str, named: str) -> None:
    """Also where a password should have been escaped."""
    assert shown(source) == named


@pytest.mark.parametrize(
    ("source", "scheme"),
    [("HTTPS://a", "https"), ("/a/b", ""), ("a:b", ""), ("C:\\a", ""), ("1a://b", ""), ("", "")],
)
def test_a_scheme_is_what_stands_before_two_slashes(source: str, scheme: str) -> None:
    """Anything else is a path."""
    assert scheme_of(source) == scheme
