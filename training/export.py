"""Step 9: the files that ship: packed weights, config, tokenizer; loaded once to see that they answer as trained."""

import json
import shutil

import torch
from safetensors.torch import save_file
from transformers import T5Config

from lakerag.models.t5_grounded import CALIBRATION, CONFIG, TOKENIZER, WEIGHTS, layout, load_grounded_t5, pack
from training import tokenizer
from training.config import Recipe
from training.t5 import BUCKETS, MAX_DISTANCE, T5, transformers_names

MAX_BYTES = 32_000_000
UNCALIBRATED = (0.0, 1.0, 0.0, 0.0)
"""The confidence is then the probability that a passage answers."""
PROBE = layout.render("How tall is the tower?", ["The tower is 324 metres tall.", "Paris is the capital of France."])


def config_of(recipe: Recipe) -> T5Config:
    shape = recipe.shape
    return T5Config(
        vocab_size=recipe.tokenizer.vocabulary,
        d_model=shape.width,
        d_kv=shape.width // shape.heads,
        num_heads=shape.heads,
        d_ff=shape.inner,
        num_layers=shape.encoder_layers,
        num_decoder_layers=shape.decoder_layers,
        relative_attention_num_buckets=BUCKETS,
        relative_attention_max_distance=MAX_DISTANCE,
        feed_forward_proj="gelu",
        tie_word_embeddings=True,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.PAD,
        pad_token_id=tokenizer.PAD,
        eos_token_id=tokenizer.END,
    )


def largest_difference(recipe: Recipe) -> float:
    """Returns the largest difference between the shipped and the trained model's first-step probabilities."""
    trained = T5(recipe.shape, recipe.tokenizer.vocabulary).eval()
    trained.load_state_dict(torch.load(recipe.work / "tuned.pt", map_location="cpu", weights_only=True))
    shipped, words = load_grounded_t5(recipe.export)
    tokens = torch.tensor([words(PROBE).input_ids])
    with torch.no_grad():
        _, first = trained.generate(tokens, 1)
        logits = shipped(input_ids=tokens, decoder_input_ids=torch.tensor([[tokenizer.PAD]])).logits[:, 0]
    return float((first.exp() - logits.softmax(-1)).abs().max())


def main(recipe: Recipe) -> None:
    recipe.export.mkdir(parents=True, exist_ok=True)
    weights = torch.load(recipe.work / "tuned.pt", map_location="cpu", weights_only=True)
    save_file(pack(transformers_names(weights)), recipe.export / WEIGHTS)
    (recipe.export / CONFIG).write_text(config_of(recipe).to_json_string(), encoding="utf-8")
    shutil.copy(recipe.work / "tokenizer.json", recipe.export / TOKENIZER)
    if not (recipe.export / CALIBRATION).exists():
        (recipe.export / CALIBRATION).write_text(json.dumps({"weights": UNCALIBRATED}), encoding="utf-8")
    size = sum((recipe.export / name).stat().st_size for name in (WEIGHTS, CONFIG, TOKENIZER))
    if size > MAX_BYTES:
        raise ValueError(f"expected at most {MAX_BYTES} bytes, found {size}: make the shape or the vocabulary smaller")
    print(f"exported {size / 1e6:.1f} MB, largest difference {largest_difference(recipe):.4f}", flush=True)


if __name__ == "__main__":
    from training.config import recipe_from_arguments

    main(recipe_from_arguments(__doc__))
