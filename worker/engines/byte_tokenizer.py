"""A tokenizer that needs no training and no file: one token a byte."""

from typing import TYPE_CHECKING

import tokenizers
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"

# T5 keeps 0 for padding and 1 for the end of a sequence; 256 bytes follow the three.
_SPECIAL = {PAD: 0, END: 1, UNKNOWN: 2}
VOCABULARY_SIZE = len(_SPECIAL) + 256


def build_byte_tokenizer() -> "PreTrainedTokenizerFast":
    """Build a byte-level BPE without merges: every prompt is representable, ids below 259."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = _SPECIAL | {
        letter: index for index, letter in enumerate(alphabet, start=len(_SPECIAL))
    }
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, _SPECIAL[END])]
    )
    return transformers.PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # the library is untyped
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=UNKNOWN
    )
