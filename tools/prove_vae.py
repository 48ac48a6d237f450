"""A full-size VAE of random weights decodes a picture of 2048x2048 in tiles: equal to diffusers' tiled decode of the same latents, in under 3 GiB."""
import json
import os
import subprocess

import diffusers
import torch
from safetensors.torch import load_file, save_file

SIDE = 256  # of the latents
TILE_PX, OVERLAP = 512, 0.25
MEMORY_LIMIT_GIB = 3.0
LIMIT = 1e-3
CONFIG = dict(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=TILE_PX, scaling_factor=0.13025,
              down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)


def rows(program, folder, side=SIDE):
    torch.manual_seed(0)
    vae = diffusers.AutoencoderKL(**CONFIG).eval()
    vae.save_pretrained(f"{folder}/vae")
    latents = torch.randn(1, 4, side, side)
    save_file({"latents": latents}, f"{folder}/latents.safetensors")
    bench = os.path.join(os.path.dirname(program), "negativa_bench_vae")
    ran = json.loads(subprocess.run([bench, f"{folder}/vae", f"{folder}/latents.safetensors", f"{folder}/decoded.safetensors", str(TILE_PX // 8)],
                                    capture_output=True, text=True, check=True).stdout)
    got = load_file(f"{folder}/decoded.safetensors")["decoded"]
    vae.enable_tiling()
    if (vae.tile_sample_min_size, vae.tile_latent_min_size, vae.tile_overlap_factor) != (TILE_PX, TILE_PX // 8, OVERLAP):
        raise ValueError("diffusers has other tiles now: set them here")
    with torch.inference_mode():
        expected = vae.decode(latents).sample
        whole = vae.encoder.conv_in.weight.abs().max()  # that the weights are no zeros
    distance = ((got - expected).norm() / expected.norm()).item() if whole > 0 else float("inf")
    case, pixels = f"VAE in tiles of {TILE_PX} px, overlap {OVERLAP}", f"{8 * side}x{8 * side}"
    yield case, f"{pixels}, fp32, random weights of full size", distance, LIMIT
    yield case, f"{pixels}, peak memory in GiB", ran["peak_memory_bytes"] / 2**30, MEMORY_LIMIT_GIB
