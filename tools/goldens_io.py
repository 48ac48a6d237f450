"""Goldens of tests/io, from the reference libraries: safetensors' own writer and diffusers' single-file converter.

  python tools/goldens_io.py        writes into tests/golden/
"""

import pathlib

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"

COMMON = dict(
    addition_embed_type="text_time", addition_time_embed_dim=256, layers_per_block=2, use_linear_projection=True
)
BASE = dict(
    COMMON,
    block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    attention_head_dim=(5, 10, 20),
    transformer_layers_per_block=(1, 2, 10),
    cross_attention_dim=2048,
    projection_class_embeddings_input_dim=2816,
)
REFINER = dict(
    COMMON,
    block_out_channels=(384, 768, 1536, 1536),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    attention_head_dim=(6, 12, 24, 24),
    transformer_layers_per_block=4,
    cross_attention_dim=1280,
    projection_class_embeddings_input_dim=2560,
)
RESNET = ("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection")


def unet_names(config):
    """(ours, theirs) for every key of the UNet, as diffusers' converter pairs them."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**config)
    ours = {key: tensor.shape for key, tensor in unet.state_dict().items()}
    theirs = sgm_names(ours, len(config["block_out_channels"]))
    checkpoint = {"model.diffusion_model." + name: name for name in theirs}
    converted = convert_ldm_unet_checkpoint(checkpoint, dict(unet.config))
    assert set(converted) == set(ours), set(ours) ^ set(converted)
    return sorted(converted.items())


def sgm_names(ours, levels):
    """SGM's names of these keys by the arithmetic of its constructor: two resnets and a sampler a level, one resnet more on the way up."""
    swaps = dict(zip(("norm1", "conv1", "time_emb_proj", "norm2", "conv2", "conv_shortcut"), RESNET))
    plain = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0",
             "conv_out": "out.2"}
    for key in ours:
        parts = key.split(".")
        module, kind = key.rsplit(".", 1)
        if module in plain:
            yield f"{plain[module]}.{kind}"
            continue
        if parts[0] == "mid_block":
            place, rest = f"middle_block.{1 if parts[1] == 'attentions' else 2 * int(parts[2])}", parts[3:]
        else:
            level, child, number, rest = int(parts[1]), parts[2], int(parts[3]), parts[4:]
            down = parts[0] == "down_blocks"
            n = 1 + 3 * level + number if down else 3 * level + number
            if child == "downsamplers":
                place, rest = f"input_blocks.{3 * level + 3}.0.op", [kind]
            elif child == "upsamplers":
                attended = any(k.startswith(f"up_blocks.{level}.attentions") for k in ours)
                place, rest = f"output_blocks.{3 * level + 2}.{2 if attended else 1}.conv", [kind]
            else:
                place = f"{'input' if down else 'output'}_blocks.{n}.{1 if child == 'attentions' else 0}"
        if "resnets" in parts[:3]:
            rest = [swaps[rest[0]], *rest[1:]]
        yield ".".join([place, *rest])


def write_unet_names():
    """Only weights, and one of each transformer's tensors: what lies deeper has the same name on both sides."""
    with open(GOLDEN / "sgm_unet_names.txt", "w") as file:
        for model, config in (("base", BASE), ("refiner", REFINER)):
            for ours, theirs in unet_names(config):
                deep = "transformer_blocks" in ours and not ours.endswith("transformer_blocks.0.attn1.to_q.weight")
                if ours.endswith(".weight") and not deep:
                    file.write(f"{model} {ours} {theirs}\n")


def write_tensors():
    tensors = {
        "b.half": torch.arange(6, dtype=torch.float16).reshape(2, 3),
        "a.float": torch.tensor([0.5, -1.25]),
        "c.bf16": torch.tensor([[1.5]], dtype=torch.bfloat16),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 4),
        "ids": torch.tensor([1, -2], dtype=torch.int64),
        "mask": torch.tensor([True, False, True]),
        "byte": torch.tensor([7], dtype=torch.uint8),
        "fp8": torch.tensor([1.0, -448.0]).to(torch.float8_e4m3fn),
        'quote"\\\n\u00e9\u0001/': torch.tensor([1], dtype=torch.int32),
    }
    save_file(tensors, GOLDEN / "writer.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    write_tensors()
    write_unet_names()
