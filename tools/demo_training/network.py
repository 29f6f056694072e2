"""The two experts and the text encoder, and how training runs them quicker than the pipeline."""

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from worker.engines.byte_tokenizer import VOCABULARY_SIZE, build_byte_tokenizer
from worker.engines.patch_codec import PLACES

HEADS, HEAD_WIDTH, LAYERS, FFN = 4, 32, 4, 384
TEXT_WIDTH = 32
_MASK = 4
# How strongly the pictures come in beside the noise; what the last norm has taken from it.
_QUIET, _LOUD = 0.5, 1.6
# The pipeline pads texts to 512 tokens. All that is padded is alike: one token stands for it here.
_TEXT_TOKENS, _SHORT = 512, 48


def new_transformer(channels: int) -> Any:
    """Make an expert with random weights, through which the noise that it sees comes out again.

    Most of a velocity is that noise. To learn to hand it on takes hundreds of steps.
    """
    transformer = diffusers.WanTransformer3DModel(
        patch_size=(1, 1, 1),
        num_attention_heads=HEADS,
        attention_head_dim=HEAD_WIDTH,
        in_channels=2 * channels + 4,
        out_channels=channels,
        text_dim=TEXT_WIDTH,
        freq_dim=64,
        ffn_dim=FFN,
        num_layers=LAYERS,
        rope_max_seq_len=64,
    )
    _hand_on(transformer, channels)
    return transformer


@torch.no_grad()
def _hand_on(transformer: Any, channels: int) -> None:
    """Give latents directions of their own, and read them out along the same ones."""
    width = HEADS * HEAD_WIDTH
    turn = torch.linalg.qr(torch.randn(width, width))[0]
    into = transformer.patch_embedding.weight[:, :, 0, 0, 0]
    seen, free = turn[:, :channels], turn[:, channels:]
    into[:, :channels] = seen
    # The mask, then of the pictures the places and as many components as there are directions.
    components = min(free.shape[1] - _MASK, channels) - PLACES
    into[:, channels:] *= 0.3
    into[:, channels : channels + _MASK] = free[:, :_MASK]
    into[:, -PLACES:] = _QUIET * free[:, _MASK : _MASK + PLACES]
    start = channels + _MASK
    seen_too = free[:, _MASK + PLACES :][:, :components]
    into[:, start : start + components] = _QUIET * seen_too
    transformer.patch_embedding.bias.zero_()
    transformer.proj_out.weight.copy_(_LOUD * seen.T)
    transformer.proj_out.bias.zero_()


def new_text_encoder() -> Any:
    """Make the encoder: random and never trained; it tells letters and their places apart."""
    encoder = transformers.UMT5EncoderModel(
        transformers.UMT5Config(
            vocab_size=VOCABULARY_SIZE,
            d_model=TEXT_WIDTH,
            d_kv=8,
            d_ff=64,
            num_layers=1,
            num_heads=4,
            relative_attention_num_buckets=8,
        )
    )
    return encoder.eval().requires_grad_(requires_grad=False)


def load_text_encoder(folder: Path) -> Any:
    """Load the encoder that was made."""
    encoder = transformers.UMT5EncoderModel.from_pretrained(folder)
    return encoder.eval().requires_grad_(requires_grad=False)


class Texts:
    """Encodes prompts as the pipeline does, to fewer tokens."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self._tokenizer = encoder, build_byte_tokenizer()
        self._known: dict[str, torch.Tensor] = {}

    def encode(self, prompts: list[str]) -> torch.Tensor:
        """Return (prompts, tokens, width), zeros after each text."""
        return torch.stack([self._one(prompt) for prompt in prompts])

    @torch.no_grad()
    def _one(self, prompt: str) -> torch.Tensor:
        if prompt not in self._known:
            ids = torch.tensor([self._tokenizer(prompt).input_ids])
            states = self._encoder(ids).last_hidden_state[0]
            padded = torch.zeros(_SHORT, states.shape[1])
            padded[: len(states)] = states
            self._known[prompt] = padded
        return self._known[prompt]


class _ShortText:
    """Attends to a short text as to one of 512 tokens: its last one counts for the rest."""

    def __init__(self) -> None:
        self._weights = torch.zeros(1, 1, 1, _SHORT)
        self._weights[..., -1] = torch.tensor(_TEXT_TOKENS - _SHORT + 1.0).log()

    def __call__(self, attn: Any, hidden_states: Any, encoder_hidden_states: Any, *_: Any) -> Any:
        query = attn.norm_q(attn.to_q(hidden_states)).unflatten(2, (attn.heads, -1))
        key = attn.norm_k(attn.to_k(encoder_hidden_states)).unflatten(2, (attn.heads, -1))
        value = attn.to_v(encoder_hidden_states).unflatten(2, (attn.heads, -1))
        attended = torch.nn.functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2),
            attn_mask=self._weights,
        )  # fmt: skip
        return attn.to_out[0](attended.transpose(1, 2).flatten(2))


def shorten_texts(transformer: Any) -> None:
    """Have a transformer take texts as `Texts` encodes them."""
    for block in transformer.blocks:
        block.attn2.set_processor(_ShortText())
