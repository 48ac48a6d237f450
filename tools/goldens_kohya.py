"""Writes tests/golden/kohya_names.txt: what kohya-ss/sd-scripts calls the layers of full-size SDXL that it trains by default.

    python tools/goldens_kohya.py [MODEL OUT]        OUT: tests/golden; MODEL is not used

One line a layer: component, name in diffusers or transformers, name in kohya's files. sd-scripts' rules (networks/lora.py,
LoRANetwork.create_modules) are applied to models without weights: under every module of class Transformer2DModel (UNet), CLIPAttention
or CLIPMLP (text encoders), all linear layers and 1x1 convolutions; prefix, then the module's full name, with "_" for ".". Its UNet has
SGM's lists of blocks, which are counted here as its constructor fills them: one entry a resnet, one a downsampler.
"""
import pathlib
import sys

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from goldens_io import BASE

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
CLIP_L = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768)
BIG_G = dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280, hidden_act="gelu")


def trained_children(module):
    for name, child in module.named_modules():
        kind = type(child).__name__
        if kind in ("Linear", "LoRACompatibleLinear") or (kind == "Conv2d" and child.kernel_size == (1, 1)):
            yield name


def transformers_of(unet):
    """(name in diffusers, name in SGM) of every Transformer2DModel, in the order of SGM's lists."""
    entry = 1  # input_blocks.0 is conv_in
    for i, block in enumerate(unet.down_blocks):
        for j in range(len(block.resnets)):
            if hasattr(block, "attentions"):
                yield f"down_blocks.{i}.attentions.{j}", f"input_blocks.{entry}.1"
            entry += 1
        entry += block.downsamplers is not None
    yield "mid_block.attentions.0", "middle_block.1"
    entry = 0
    for i, block in enumerate(unet.up_blocks):
        for j in range(len(block.resnets)):
            if hasattr(block, "attentions"):
                yield f"up_blocks.{i}.attentions.{j}", f"output_blocks.{entry}.1"
            entry += 1


def unet_layers():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**BASE)
    found = {name for name, module in unet.named_modules() if type(module).__name__ == "Transformer2DModel"}
    places = list(transformers_of(unet))
    assert {ours for ours, _ in places} == found
    for ours, theirs in places:
        for child in trained_children(unet.get_submodule(ours)):
            yield "unet", f"{ours}.{child}", "lora_unet." + f"{theirs}.{child}"


def text_layers(component, prefix, kind, config):
    with torch.device("meta"):
        encoder = kind(CLIPTextConfig(vocab_size=49408, **config))
    for name, module in encoder.named_modules():
        if type(module).__name__ in ("CLIPAttention", "CLIPSdpaAttention", "CLIPMLP"):
            for child in trained_children(module):
                # sd-scripts uses transformers 4, where the first encoder has a "text_model." too.
                full = f"{name}.{child}" if name.startswith("text_model.") else f"text_model.{name}.{child}"
                yield component, full, f"{prefix}.{full}"


def main():
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else GOLDEN
    parts = [list(unet_layers()), list(text_layers("text_encoder", "lora_te1", CLIPTextModel, CLIP_L)),
             list(text_layers("text_encoder_2", "lora_te2", CLIPTextModelWithProjection, BIG_G))]
    assert [len(part) for part in parts] == [722, 72, 192]
    with open(out / "kohya_names.txt", "w") as file:
        for component, ours, theirs in sorted(line for part in parts for line in part):
            file.write(f"{component} {ours} {theirs.replace('.', '_')}\n")


if __name__ == "__main__":
    main()
