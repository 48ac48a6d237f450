"""Adapters of rank 16 with random numbers for every layer of a model folder's UNet that trainers adapt, as files: what bench.py times."""
import json
import os
import struct

import torch
from safetensors.torch import save_file

RANK = 16


def layers_of(model):
    """{layer: shape of its weight}, from the file's header alone."""
    with open(os.path.join(model, "unet/diffusion_pytorch_model.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    shapes = {key.removesuffix(".weight"): entry["shape"] for key, entry in header.items() if key.endswith(".weight")}
    return {layer: shape for layer, shape in shapes.items()
            if len(shape) == 4 or len(shape) == 2 and any(part in layer for part in (".attn", ".ff.", "proj_"))}


def numbers(*shape):
    return (torch.randn(*shape) / 100).half()


def factors(layer, shape):
    up = (shape[0], RANK, 1, 1) if len(shape) == 4 else (shape[0], RANK)
    return {f"unet.{layer}.lora_A.weight": numbers(RANK, *shape[1:]), f"unet.{layer}.lora_B.weight": numbers(*up)}


def loha(layer, shape):
    stem, inputs = "lora_unet_" + layer.replace(".", "_"), torch.Size(shape[1:]).numel()
    pieces = {f"{stem}.hada_w{half}_{side}": numbers(*size) for half in "12" for side, size in (("a", (shape[0], RANK)), ("b", (RANK, inputs)))}
    return pieces | {f"{stem}.alpha": torch.tensor(float(RANK))}


def write_all(model, folder):
    """{name of the kind: file}."""
    torch.manual_seed(0)
    layers = layers_of(model)
    linear = {layer: shape for layer, shape in layers.items() if len(shape) == 2}
    made = {"LoCon": [factors(*layer) for layer in layers.items()],
            "LoHa": [loha(*layer) for layer in layers.items()],
            "DoRA": [factors(layer, shape) | {f"unet.{layer}.lora_magnitude_vector": torch.ones(shape[0]).half()} for layer, shape in linear.items()]}
    files = {}
    for name, parts in made.items():
        files[name] = os.path.join(folder, f"{name}.safetensors")
        save_file({key: tensor for part in parts for key, tensor in part.items()}, files[name])
    return files
