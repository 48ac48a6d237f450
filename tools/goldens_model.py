"""Writes what diffusers makes of the bundled model, in fp32 on one CPU thread, into OUT.

    goldens_model.py MODEL OUT

  unet_emoji.safetensors      base., refiner. and odd. (a latent of odd size): inputs, noise_pred and what leaves each block for row 0
  vae_emoji.safetensors       latents -> decoded, image -> moments, mode; tiled. the same in tiles with overlap
  vae_tiny.safetensors        a TAESD of random weights (`vae.KEY`), its config in the metadata: latents -> decoded, image -> encoded
  pipeline_emoji.safetensors  whole runs, `CASE.NAME` as --save-tensors names them; the settings of each case as JSON in the metadata
"""
import argparse
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file

from reference_pipeline import Case, Reference

CASES = [
    Case("base_50", "red apple on a blue background", seed=11),
    Case("base_8_negative", "a big lion", "low quality, blurry", steps=8, seed=12, cfg_scale=7.5),
    Case("refiner_50", "pizza next to volcano on a teal background", "watermark", refiner_start=0.8, seed=13),
    Case("rescale_8", "owl, blurry", "", steps=8, seed=14, cfg_scale=9.0, guidance_rescale=0.7),
    Case("ancestral_8", "frog on a white background", steps=8, seed=15, sampler="euler_ancestral"),
    Case("dpmpp_karras_8", "frog on a white background", steps=8, seed=16, sampler="dpmpp_2m", schedule="karras"),
    Case("wide_8", "small owl", "signature", steps=8, seed=17, size=(48, 80), crop_top_left=(8, 4), original_size=(96, 128)),
]


def save(tensors, path, metadata=None):
    save_file({name: tensor.float().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}, path, metadata=metadata)
    print(path, os.path.getsize(path), "bytes")


def block_outputs(unet, kept):
    """Hooks that keep row 0 of what leaves conv_in and each block."""
    blocks = {"conv_in": unet.conv_in, "mid_block": unet.mid_block}
    blocks |= {f"down_blocks.{i}": block for i, block in enumerate(unet.down_blocks)}
    blocks |= {f"up_blocks.{i}": block for i, block in enumerate(unet.up_blocks)}

    def keep(name):
        return lambda module, inputs, output: kept.__setitem__(name, (output[0] if isinstance(output, tuple) else output)[:1].clone())
    return [block.register_forward_hook(keep(name)) for name, block in blocks.items()]


def unet_case(unet, shape, timestep, embeds, time_ids, seed):
    sample = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    prompt_embeds, pooled = embeds
    kept = {}
    hooks = block_outputs(unet, kept)
    noise_pred = unet(sample, timestep, encoder_hidden_states=prompt_embeds,
                      added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
    for hook in hooks:
        hook.remove()
    return kept | dict(sample=sample, timestep=torch.tensor([timestep]), prompt_embeds=prompt_embeds, pooled_prompt_embeds=pooled,
                       add_time_ids=time_ids, noise_pred=noise_pred)


def unet_golden(reference):
    """Contexts are cut to 20 tokens: a UNet takes any number, and the file stays small."""
    prompts = ["a big lion on a purple background", "owl, blurry"]
    prompt_embeds, _, pooled, _ = reference.base.encode_prompt(prompts, device="cpu", do_classifier_free_guidance=False)
    base = (prompt_embeds[:, :20], pooled)
    # Channels of the second encoder alone, as the refiner sees them.
    refiner_width = reference.refiner.unet.config.cross_attention_dim
    refiner = (prompt_embeds[:, :20, -refiner_width:], pooled)
    sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64], [96, 128, 8, 4, 64, 64]])
    aesthetics = torch.tensor([[64.0, 64, 0, 0, 2.5], [64, 64, 0, 0, 6]])
    odd = tuple(part[:1] for part in base)
    cases = {
        "base": unet_case(reference.base.unet, (2, 4, 16, 16), 481.0, base, sizes, 21),
        "refiner": unet_case(reference.refiner.unet, (2, 4, 16, 16), 121.0, refiner, aesthetics, 22),
        "odd": unet_case(reference.base.unet, (1, 4, 13, 10), 934.0721, odd, sizes[:1], 23),
    }
    return {f"{case}.{name}": tensor for case, tensors in cases.items() for name, tensor in tensors.items()}


def vae_golden(vae, picture):
    tensors = {}
    latents = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(24)) * 1.2
    tensors |= {"latents": latents, "decoded": vae.decode(latents).sample}
    image = torch.from_numpy(np.array(Image.open(picture).convert("RGB"))).permute(2, 0, 1)[None] / 127.5 - 1
    posterior = vae.encode(image).latent_dist
    tensors |= {"image": image, "moments": posterior.parameters, "mode": posterior.mode()}
    wide = torch.randn((1, 4, 24, 20), generator=torch.Generator().manual_seed(25))
    vae.enable_tiling()
    decoded = vae.decode(wide).sample
    tensors |= {"tiled.latents": wide, "tiled.decoded": decoded, "tiled.moments": vae.encode(decoded).latent_dist.parameters}
    vae.disable_tiling()
    return tensors


def tiny_vae_golden():
    """A TAESD with the miniature's factor, of other widths and numbers of blocks than the published ones."""
    torch.manual_seed(26)
    vae = AutoencoderTiny(encoder_block_out_channels=(12, 12, 12), num_encoder_blocks=(1, 3, 2), decoder_block_out_channels=(8, 8, 8),
                          num_decoder_blocks=(2, 1, 1)).eval()
    latents, image = torch.randn(1, 4, 9, 7) * 1.5, torch.rand(1, 3, 36, 28) * 2 - 1
    tensors = {f"vae.{name}": tensor for name, tensor in vae.state_dict().items()}
    tensors |= {"latents": latents, "decoded": vae.decode(latents).sample, "image": image, "encoded": vae.encode(image).latents}
    return tensors, {"config": vae.to_json_string()}


def pipeline_golden(reference):
    """Embeddings are kept for the first three cases only, to keep the file small."""
    tensors = {}
    for i, case in enumerate(CASES):
        got = reference.run(case)
        tensors |= {f"{case.name}.{name}": tensor for name, tensor in got.items() if i < 3 or not name.endswith("embeds")}
    return tensors, {"cases": json.dumps({case.name: settings(case) for case in CASES}, sort_keys=True)}


def settings(case):
    """Without what is at its default and cannot be mistaken."""
    kept = dataclasses.asdict(case)
    for name in ("name", "loras", "embedding", "weighting", "guidance_interval"):
        kept.pop(name)
    return kept


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    torch.set_num_threads(1)
    reference = Reference(str(args.model))
    save(unet_golden(reference), args.out / "unet_emoji.safetensors")
    save(vae_golden(reference.base.vae, args.model / "subject" / "train" / "01.png"), args.out / "vae_emoji.safetensors")
    tensors, metadata = tiny_vae_golden()
    save(tensors, args.out / "vae_tiny.safetensors", metadata)
    tensors, metadata = pipeline_golden(reference)
    save(tensors, args.out / "pipeline_emoji.safetensors", metadata)


if __name__ == "__main__":
    main()
