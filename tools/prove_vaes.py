"""The part of prove.py about `--vae`: a TAESD in each of its files against diffusers' AutoencoderTiny, a VAE that scales and shifts latents
by its own config, and pictures that are encoded in tiles for training."""
import json
import os
import shutil
import subprocess

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.transforms.functional import to_tensor

import prove_program
from prove_table import PICTURE_LIMIT, picture_distance, relative
from reference_pipeline import Case

IMAGE_LIMIT = 1e-4
LATENTS_LIMIT = 1e-5
CASE = Case("", "robot on a red background", "blurry", steps=4, seed=750)
TILE_PX, SIDE_PX = 32, 72
OWN = {"scaling_factor": 0.4, "latents_mean": [0.2, -0.1, 0.3, 0.0], "latents_std": [1.2, 0.8, 1.1, 0.9], "force_upcast": False}


def rows(program, model, reference, folder):
    """(case, what is compared, measured, limit) of every check."""
    folder = os.path.join(folder, "vaes")
    os.makedirs(folder, exist_ok=True)
    latents = reference.run(CASE)["latents"]
    yield from taesd_rows(program, model, latents, folder)
    yield from own_config_rows(program, model, latents, folder)
    yield from tiled_encode_rows(program, model, folder)


def drawn(program, model, vae, folder):
    return prove_program.run(program, model, CASE, folder, "--vae", vae)["image"]


@torch.no_grad()
def taesd_rows(program, model, latents, folder):
    """Of random weights, with the miniature's factor: it decodes to pictures of little contrast, so the distance is relative."""
    torch.manual_seed(0)
    tiny = AutoencoderTiny(encoder_block_out_channels=(24,) * 3, num_encoder_blocks=(1, 2, 3), decoder_block_out_channels=(32,) * 3,
                           num_decoder_blocks=(3, 2, 1)).eval()
    expected = tiny.decode(latents / tiny.config.scaling_factor).sample
    for name, vae in taesd_files(tiny, folder):
        yield f"VAE, TAESD as {name}", "picture, relative", relative(drawn(program, model, vae, folder), expected), IMAGE_LIMIT


def taesd_files(tiny, folder):
    """(what it is, what --vae is given)."""
    whole = os.path.join(folder, "taesdxl")
    tiny.save_pretrained(whole)
    yield "diffusers' folder", whole
    file = os.path.join(folder, "tiny.safetensors")
    shutil.copy(os.path.join(whole, "diffusion_pytorch_model.safetensors"), file)
    yield "diffusers' file alone", file
    author = {"encoder": tiny.encoder.layers.state_dict(), "decoder": {moved(key): tensor for key, tensor in tiny.decoder.layers.state_dict().items()}}
    for extension, write in ((".safetensors", save_file), (".pth", torch.save)):
        os.makedirs(os.path.join(folder, extension[1:]), exist_ok=True)
        for half, tensors in author.items():
            write({key: tensor.contiguous() for key, tensor in tensors.items()}, os.path.join(folder, extension[1:], f"taesdxl_{half}{extension}"))
        yield f"the author's decoder, {extension}", os.path.join(folder, extension[1:], f"taesdxl_decoder{extension}")


def moved(key):
    """taesd.py's decoder begins with a layer that diffusers' has not: Clamp."""
    number, rest = key.split(".", 1)
    return f"{int(number) + 1}.{rest}"


@torch.no_grad()
def own_config_rows(program, model, latents, folder):
    vae_folder = os.path.join(folder, "own")
    shutil.copytree(os.path.join(model, "vae"), vae_folder)
    path = os.path.join(vae_folder, "config.json")
    with open(path) as f:
        config = json.load(f) | OWN
    with open(path, "w") as f:
        json.dump(config, f)
    vae = AutoencoderKL.from_pretrained(vae_folder)
    mean, std = (torch.tensor(vae.config[key]).view(1, 4, 1, 1) for key in ("latents_mean", "latents_std"))
    expected = vae.decode(latents * std / vae.config.scaling_factor + mean).sample
    yield "VAE, scaling_factor, latents_mean and latents_std of its config", "picture", picture_distance(drawn(program, model, vae_folder, folder), expected), PICTURE_LIMIT


@torch.no_grad()
def tiled_encode_rows(program, model, folder):
    """What a training keeps of a picture in its cache, against diffusers' tiled encode with the same tile and overlap."""
    data, cache = os.path.join(folder, "data"), os.path.join(folder, "cache")
    os.makedirs(data, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(1, 3, 9, 9, generator=generator)
    pixels = (torch.nn.functional.interpolate(small, (SIDE_PX, SIDE_PX), mode="bilinear")[0].permute(1, 2, 0) * 255).round().byte()
    Image.fromarray(pixels.numpy()).save(os.path.join(data, "a.png"))
    command = [program, "train", "lora", "-m", model, "--data", data, "-p", "wrong", "--resolution", str(SIDE_PX), "--steps", "1", "--rank", "1",
               "--vae-tile", str(TILE_PX), "--device", "cpu", "--threads", "1", "-o", os.path.join(folder, "tiled.safetensors"), "-q"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"XDG_CACHE_HOME": cache})
    if done.returncode != 0:
        raise prove_program.ProgramFailed(done.stderr.strip())
    kept_folder = os.path.join(cache, "negativa", "latents")
    kept = [load_file(os.path.join(kept_folder, name)) for name in os.listdir(kept_folder)]
    vae = AutoencoderKL.from_pretrained(os.path.join(model, "vae"))
    image = to_tensor(Image.open(os.path.join(data, "a.png")))[None] * 2 - 1
    whole = vae.encode(image).latent_dist.mean
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    vae.enable_tiling()
    vae.tile_sample_min_size, vae.tile_latent_min_size = TILE_PX, TILE_PX // factor
    expected = vae.encode(image).latent_dist
    case = f"VAE, encoded in tiles of {TILE_PX} px, overlap {vae.tile_overlap_factor}"
    yield case, "latents in the cache", max(relative(kept[0]["mean"], expected.mean), relative(kept[0]["std"], expected.std)), LATENTS_LIMIT
    yield case, "entries in the cache", abs(len(kept) - 1), 0
    yield case, "0.01 / how far tiles move them", 0.01 / relative(expected.mean, whole), 1.0
