"""The tokenizer of the tiny pipelines."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engines.byte_tokenizer import VOCABULARY_SIZE, build_byte_tokenizer


@settings(deadline=None)
@given(st.text(max_size=60))
def test_every_text_comes_back(text: str) -> None:
    """Whatever people write is representable: encoding and decoding gives the same text."""
    tokenizer = build_byte_tokenizer()
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("text", ["", "a", "größer 球"])
def test_one_token_a_byte_and_an_end(text: str) -> None:
    """A text has one id below 259 for each UTF-8 byte, and the end's id."""
    ids = build_byte_tokenizer()(text)["input_ids"]
    assert len(ids) == len(text.encode()) + 1
    assert ids[-1] == 1
    assert max(ids) < VOCABULARY_SIZE == 259
