"""Our T5 against transformers' own."""

import torch
from transformers import T5Config, T5ForConditionalGeneration

from training.config import Shape
from training.t5 import T5, transformers_names

SHAPE = Shape(width=48, heads=4, inner=96, encoder_layers=3, decoder_layers=2)


def pair() -> tuple[T5, T5ForConditionalGeneration]:
    torch.manual_seed(0)
    ours = T5(SHAPE, 500)
    for table in (ours.encoder_bias, ours.decoder_bias):
        torch.nn.init.normal_(table.weight)
    config = T5Config(
        vocab_size=500, d_model=48, d_kv=12, num_heads=4, d_ff=96, num_layers=3, num_decoder_layers=2,
        feed_forward_proj="gelu", tie_word_embeddings=True, decoder_start_token_id=0, dropout_rate=0.0,
    )  # fmt: skip
    weights = transformers_names(ours.state_dict())
    for tied in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        weights[tied] = weights["shared.weight"]
    theirs = T5ForConditionalGeneration(config).eval()
    theirs.load_state_dict(weights)
    return ours.eval(), theirs


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    tokens, labels = torch.randint(3, 500, (2, 200)), torch.randint(3, 500, (2, 9))
    tokens[1, 150:], labels[1, 6:] = 0, -100
    return tokens, labels


def test_loss_is_that_of_transformers_on_padded_batches() -> None:
    ours, theirs = pair()
    tokens, labels = inputs()

    expected = theirs(input_ids=tokens, attention_mask=(tokens != 0).long(), labels=labels).loss

    torch.testing.assert_close(ours(tokens, labels), expected)


def test_first_token_is_chosen_among_those_allowed() -> None:
    ours, _ = pair()
    tokens, _ = inputs()

    written, first = ours.generate(tokens, 3, first_tokens=torch.tensor([17, 23]))

    assert set(written[:, 0].tolist()) <= {17, 23}
    torch.testing.assert_close(first.exp().sum(-1), torch.ones(2))
