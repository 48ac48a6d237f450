"""Writes what diffusers and peft make of a few training steps on the bundled model, in float64 on one CPU thread, into OUT.

    goldens_train.py MODEL OUT

  train_trace.safetensors     `CASE.NAME` as --save-trace names them, inputs in fp32, what comes out in fp64; the settings and the rows' captions as JSON in the metadata

A few layers stand for all, and contexts are cut to 20 tokens where the encoders are not trained, to keep the file small. `up` does not begin
at zero here, so that both factors have a first gradient.
"""
import argparse
import dataclasses
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPTokenizer

from reference_training import Settings, Training, TrainingModel, encode

TOKENS = 20
SIZES = torch.tensor([[64.0, 64, 0, 0, 64, 64], [96, 128, 8, 4, 64, 64], [200, 64, 68, 0, 64, 64], [64, 80, 0, 8, 64, 64]])
BLOCK = "down_blocks.1.attentions.0.transformer_blocks.0."


@dataclasses.dataclass(frozen=True)
class Case:
    settings: Settings
    layers: dict
    captions: list        # of the rows of each step: instance rows, then class rows
    timesteps: list       # of each step
    seed: int


CASES = {
    "prior": Case(
        Settings(rank=2, alpha=3.0, targets="attention+ff", steps=3, batch_size=2, learning_rate=1e-3, lr_scheduler="cosine", lr_warmup=1, weight_decay=0.01,
                 max_grad_norm=0.01, class_prompt="a hedgehog", prior_weight=0.7, snr_gamma=5.0),
        {"unet": [BLOCK + "attn1.to_q", BLOCK + "attn1.to_k", BLOCK + "attn2.to_v", BLOCK + "ff.net.0.proj", BLOCK + "ff.net.2",
                  "mid_block.attentions.0.transformer_blocks.0.attn2.to_k", "up_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0"]},
        ["sonk hedgehog on a blue background", "wrong", "a hedgehog", "a hedgehog"], [[30, 700, 999, 12], [0, 120, 500, 301], [871, 64, 210, 640]], 31),
    "text": Case(
        Settings(rank=2, alpha=2.0, text_encoders=True, steps=3, learning_rate=1e-3, text_encoder_learning_rate=2e-3),
        {"unet": [BLOCK + "attn2.to_q", BLOCK + "attn2.to_k"],
         "text_encoder": ["encoder.layers.0.self_attn.q_proj", "encoder.layers.1.self_attn.v_proj", "encoder.layers.2.self_attn.k_proj"],
         "text_encoder_2": ["encoder.layers.0.self_attn.k_proj", "encoder.layers.1.self_attn.out_proj", "encoder.layers.2.self_attn.v_proj"]},
        ["sonk hedgehog on a teal background"], [[411], [77], [902]], 32),
}


def tokens(model_folder, captions):
    ids = lambda name: CLIPTokenizer.from_pretrained(model_folder / name)(captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    return {"input_ids": ids("tokenizer"), "input_ids_2": ids("tokenizer_2")}


def rows_of(case, model_folder, model):
    """{step: its rows}."""
    generator = torch.Generator().manual_seed(case.seed)
    ids = tokens(model_folder, case.captions)
    with torch.no_grad():
        prompt_embeds, pooled = encode(model.text_encoder, model.text_encoder_2, ids)
    given = ids if case.settings.text_encoders else {"prompt_embeds": prompt_embeds[:, :TOKENS], "pooled_prompt_embeds": pooled}
    steps = {}
    for step, timesteps in enumerate(case.timesteps, 1):
        latents, noise = torch.randn((2, len(timesteps), 4, 16, 16), generator=generator)
        steps[step] = given | {"latents": latents * 0.9, "noise": noise, "timesteps": torch.tensor(timesteps), "add_time_ids": SIZES[:len(timesteps)]}
    return steps


def first_factors(training, seed):
    generator = torch.Generator().manual_seed(seed + 100)
    draw = lambda key, shape: torch.randn(shape, generator=generator) * (0.05 if "lora_B" in key else 0.5)
    return {key: draw(key, parameter.shape) for key, parameter in sorted(training.factors().items())}


def golden(case, model_folder, model):
    training = Training(model, case.settings, torch.float64, case.layers)
    rows, initial = rows_of(case, model_folder, model), first_factors(training, case.seed)
    training.load(initial)
    made = training.run(rows.__getitem__)
    tensors = {f"initial.{key}": value for key, value in initial.items()}
    tensors |= {f"{what}.{key}": value for what in ("gradient", "final") for key, value in made[what].items()}
    for step, columns in rows.items():
        tensors |= {f"step.{step}.{name}": column for name, column in columns.items() if not name.startswith("input_ids")}
        tensors[f"step.{step}.loss"] = torch.tensor(made["losses"][step - 1], dtype=torch.float64)
    return tensors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = TrainingModel(str(args.model))
    tensors = {f"{name}.{key}": tensor for name, case in CASES.items() for key, tensor in golden(case, args.model, model).items()}
    described = {name: dataclasses.asdict(case.settings) | {"row_captions": case.captions} for name, case in CASES.items()}
    path = args.out / "train_trace.safetensors"
    save_file({name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}, path, metadata={"cases": json.dumps(described, sort_keys=True)})
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
