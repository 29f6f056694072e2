"""What an exception says of the expression that it speaks of."""

import pytest

from telemetry.reports.spoken import NO_INDEX, NO_KEY, NOT_RECORDED, shown_as, told_of, type_named


@pytest.mark.parametrize(
    ("kind", "message", "told", "shown"),
    [
        ("AttributeError", "'NoneType' object has no attribute 'get'", "was None", None),
        ("TypeError", "object of type 'NoneType' has no len()", "was None", None),
        ("KeyError", "'nope'", "was not there: there is no such key", NO_KEY),
        ("KeyError", "'NoneType'", "was not there: there is no such key", NO_KEY),
        (
            "IndexError",
            "list index out of range",
            "was not there: the index is out of range",
            NO_INDEX,
        ),
        ("mine.NoSuchThing", "x", "was not there", NOT_RECORDED),
        (
            "AttributeError",
            "'generator' object has no attribute 'get'",
            "was a generator, which has no 'get'",
            "<generator>",
        ),
        (
            "AttributeError",
            "'int' object has no attribute 'get'",
            "was an int, which has no 'get'",
            "<int>",
        ),
        (
            "TypeError",
            "'int' object is not subscriptable",
            "was an int, which is not subscriptable",
            "<int>",
        ),
        (
            "TypeError",
            "'mappingproxy' object does not support item assignment",
            "was a mappingproxy, which does not support item assignment",
            "<mappingproxy>",
        ),
        (
            "TypeError",
            "cannot unpack non-iterable int object",
            "was an int, which cannot be unpacked",
            "<int>",
        ),
    ],
)
def test_each_kind_of_failure_has_a_sentence(
    kind: str, message: str, told: str, shown: str | None
) -> None:
    """None, a key, an index, an attribute that is missing: each is told as what it is."""
    assert (told_of([(kind, message)]), shown_as([(kind, message)])) == (told, shown)


def test_the_exception_behind_another_may_be_the_one_that_speaks() -> None:
    """The one in front is the engine's own."""
    raised = [("EngineError", "it failed"), ("IndexError", "list index out of range")]
    assert told_of(raised) == "was not there: the index is out of range"


def test_words_that_are_passed_on_speak_of_none() -> None:
    """The row keeps the engine's sentence alone."""
    said = "Generation failed: 'NoneType' object has no attribute 'get'"
    assert told_of([("RuntimeError", said)]) == "was None"


def test_a_type_is_named_by_pythons_own_complaints_alone() -> None:
    """What another exception quotes is a value."""
    assert type_named("TypeError", "object of type 'map' has no len()") == "map"
    assert type_named("ValueError", "'map' object has no attribute 'get'") == ""
