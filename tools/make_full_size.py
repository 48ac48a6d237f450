"""Makes an SDXL base or refiner of full size with random fp16 weights, one tensor in memory at a time.

    make_full_size.py --layout folder --part base    --out FOLDER
    make_full_size.py --layout single --part refiner --out FILE.safetensors   [--components unet vae …]
    make_full_size.py --layout single --part base    --out FILE.ckpt --sparse

Both layouts of a part hold the same numbers: each is drawn from a generator seeded by its component and its name in diffusers.
`folder` is the layout of diffusers; `single` that of the published checkpoints: SGM's UNet and VAE names, OpenCLIP's text encoder with
fused q, k, v and x·P for the projection. About 7 GB (base) and 6 GB (refiner); tokenizers come from models/clip-tokenizer.
"""
import argparse
import dataclasses
import hashlib
import json
import math
import os
import re
import shutil
import struct
from typing import Callable

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from goldens_io import BASE, REFINER, unet_names

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNETS = {"base": dict(BASE, sample_size=128), "refiner": dict(REFINER, sample_size=128)}
VAE = dict(
    block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=1024, scaling_factor=0.13025,
    force_upcast=True, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4)
TEXT = dict(model_type="clip_text_model", vocab_size=49408, max_position_embeddings=77, layer_norm_eps=1e-5, attention_dropout=0.0,
            bos_token_id=0, eos_token_id=2, pad_token_id=1, torch_dtype="float16")
TEXT_ENCODERS = {
    "text_encoder": dict(TEXT, architectures=["CLIPTextModel"], hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                         num_attention_heads=12, hidden_act="quick_gelu", projection_dim=768),
    "text_encoder_2": dict(TEXT, architectures=["CLIPTextModelWithProjection"], hidden_size=1280, intermediate_size=5120,
                           num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu", projection_dim=1280),
}
SCHEDULER = dict(
    _class_name="EulerDiscreteScheduler", beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
    interpolation_type="linear", num_train_timesteps=1000, prediction_type="epsilon", sample_max_value=1.0, set_alpha_to_one=False,
    skip_prk_steps=True, steps_offset=1, timestep_spacing="leading", trained_betas=None, use_karras_sigmas=False)
COMPONENTS = {"base": ["unet", "vae", "text_encoder", "text_encoder_2"], "refiner": ["unet", "vae", "text_encoder_2"]}
# Parameters and tensors of the published models.
COUNTS = {"unet/base": (2_567_463_684, 1680), "unet/refiner": (2_259_526_660, 1220), "vae": (83_653_863, 248),
          "text_encoder": (123_060_480, 196), "text_encoder_2": (694_659_840, 517)}
DTYPES = {torch.float16: "F16", torch.int64: "I64"}


@dataclasses.dataclass
class Entry:
    """A tensor of a file, made when it is written."""
    name: str
    shape: tuple
    make: Callable[[], torch.Tensor]
    dtype: torch.dtype = torch.float16


def numbers(seed_name, key, shape):
    if "norm" in key and key.endswith(".weight"):
        return torch.ones(shape, dtype=torch.float16)
    seed = int.from_bytes(hashlib.sha256(f"{seed_name}/{key}".encode()).digest()[:7], "little")
    deviation = 0.001 if key.endswith(".bias") else 0.02
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).mul_(deviation).half()


def model_of(component, part):
    with torch.device("meta"):
        if component == "unet":
            return UNet2DConditionModel(**UNETS[part])
        if component == "vae":
            return AutoencoderKL(**VAE)
        kind = CLIPTextModel if component == "text_encoder" else CLIPTextModelWithProjection
        return kind(CLIPTextConfig(**TEXT_ENCODERS[component]))


def own_entries(component, part):
    """{key: Entry} under diffusers' names."""
    seed_name = f"unet/{part}" if component == "unet" else component
    entries = {}
    for key, tensor in model_of(component, part).named_parameters():
        # transformers 5 leaves text_model. away where the published files have it.
        if component == "text_encoder" and not key.startswith("text_model."):
            key = "text_model." + key
        shape = tuple(tensor.shape)
        entries[key] = Entry(key, shape, lambda key=key, shape=shape: numbers(seed_name, key, shape))
    counts = sum(math.prod(entry.shape) for entry in entries.values()), len(entries)
    if counts != COUNTS[seed_name]:
        raise SystemExit(f"{seed_name}: got {counts[0]} parameters in {counts[1]} tensors, expected {COUNTS[seed_name]}")
    print(f"{seed_name}: {counts[0]:,} parameters in {counts[1]} tensors")
    return entries


sparse = False  # files of zeros that take no room on the disk: for what opens a model and loads no weights


def write_pickle(path, entries):
    """What torch.save writes of these tensors, without their numbers, as Lightning's training checkpoints hold them."""
    assert sparse, "a .ckpt is written with --sparse only"
    state = {entry.name: torch.empty(entry.shape, dtype=entry.dtype) for entry in entries}  # memory that is never touched
    with torch.serialization.skip_data():
        torch.save({"epoch": 0, "global_step": 470000, "state_dict": state}, path)
    print(f"{path}: {os.path.getsize(path):,} bytes")


def write(path, entries):
    """A safetensors file, tensor by tensor: wider types first, then by name. Of a .ckpt see write_pickle."""
    if path.endswith(".ckpt"):
        return write_pickle(path, entries)
    entries = sorted(entries, key=lambda entry: (-entry.dtype.itemsize, entry.name))
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for entry in entries:
        begin, end = end, end + math.prod(entry.shape) * entry.dtype.itemsize
        header[entry.name] = {"dtype": DTYPES[entry.dtype], "shape": list(entry.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".part", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in [] if sparse else entries:
            tensor = entry.make()
            assert tuple(tensor.shape) == entry.shape and tensor.dtype == entry.dtype, entry.name
            file.write(tensor.contiguous().numpy())
        file.truncate(8 + len(text) + end)
    os.replace(path + ".part", path)
    print(f"{path}: {os.path.getsize(path):,} bytes")


def renamed(entry, name):
    return dataclasses.replace(entry, name=name)


def changed(entry, name, change):
    """Renamed, and changed in shape by a function that also works on meta tensors."""
    shape = tuple(change(torch.empty(entry.shape, device="meta")).shape)
    return Entry(name, shape, lambda: change(entry.make()).contiguous())


def single_unet(entries, part):
    names = dict(unet_names({key: value for key, value in UNETS[part].items() if key != "sample_size"}))
    return [renamed(entry, "model.diffusion_model." + names[key]) for key, entry in entries.items()]


def single_vae(entries):
    """SGM counts decoder levels from the output, calls the attention's linear layers q, k, v and makes them 1x1 convolutions."""
    last = len(VAE["block_out_channels"]) - 1
    rules = [
        (r"down_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"down.{m[1]}.block.{m[2]}"),
        (r"down_blocks\.(\d+)\.downsamplers\.0", lambda m: f"down.{m[1]}.downsample"),
        (r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{last - int(m[1])}.block.{m[2]}"),
        (r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample"),
        (r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}"),
        (r"mid_block\.attentions\.0\.group_norm", lambda m: "mid.attn_1.norm"),
        (r"mid_block\.attentions\.0\.to_([qkv])", lambda m: f"mid.attn_1.{m[1]}"),
        (r"mid_block\.attentions\.0\.to_out\.0", lambda m: "mid.attn_1.proj_out"),
        (r"conv_shortcut", lambda m: "nin_shortcut"),
        (r"conv_norm_out", lambda m: "norm_out"),
    ]
    single = []
    for key, entry in entries.items():
        name = key
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        name = "first_stage_model." + name
        linear = len(entry.shape) == 2
        single.append(changed(entry, name, lambda weight: weight[:, :, None, None]) if linear else renamed(entry, name))
    return single


def single_text_encoder(entries):
    prefix = "conditioner.embedders.0.transformer."
    ids = Entry(prefix + "text_model.embeddings.position_ids", (1, 77), lambda: torch.arange(77).reshape(1, 77), torch.int64)
    return [renamed(entry, prefix + key) for key, entry in entries.items()] + [ids]


def single_text_encoder_2(entries, part):
    """OpenCLIP's names; q, k and v in one tensor; the projection transposed."""
    prefix = f"conditioner.embedders.{1 if part == 'base' else 0}.model."
    plain = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight",
             "text_model.embeddings.position_embedding.weight": "positional_embedding",
             "text_model.final_layer_norm.weight": "ln_final.weight", "text_model.final_layer_norm.bias": "ln_final.bias"}
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    single = [Entry(prefix + "logit_scale", (), lambda: torch.tensor(4.6052, dtype=torch.float16))]
    for key, entry in entries.items():
        layer = re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", key)
        if key in plain:
            single.append(renamed(entry, prefix + plain[key]))
        elif key == "text_projection.weight":
            single.append(changed(entry, prefix + "text_projection", lambda weight: weight.T))
        elif layer[2] in parts:
            single.append(renamed(entry, f"{prefix}transformer.resblocks.{layer[1]}.{parts[layer[2]]}.{layer[3]}"))
        elif layer[2] == "self_attn.q_proj":
            thirds = [entries[key.replace("q_proj", name)] for name in ("q_proj", "k_proj", "v_proj")]
            single.append(Entry(f"{prefix}transformer.resblocks.{layer[1]}.attn.in_proj_{layer[3]}",
                                (3 * entry.shape[0], *entry.shape[1:]), lambda thirds=thirds: torch.cat([third.make() for third in thirds])))
    return single


def write_single(part, out, components):
    entries = []
    for component in components:
        own = own_entries(component, part)
        entries += {"unet": lambda: single_unet(own, part), "vae": lambda: single_vae(own), "text_encoder": lambda: single_text_encoder(own),
                    "text_encoder_2": lambda: single_text_encoder_2(own, part)}[component]()
    write(out, entries)


def write_json(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")


def model_index(part):
    base = part == "base"
    index = {"_class_name": "StableDiffusionXLPipeline" if base else "StableDiffusionXLImg2ImgPipeline", "_diffusers_version": "0.19.0.dev0",
             "force_zeros_for_empty_prompt": base}
    index |= {"add_watermarker": None} if base else {"add_watermarker": None, "requires_aesthetics_score": True}
    nothing = [None, None]
    return index | {
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"] if base else nothing,
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"] if base else nothing,
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def vocabulary(merges):
    """{piece: id} of CLIP's tokenizer: bytes, bytes that end a word, merges, the two marks."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = [chr(byte) for byte in own] + [chr(256 + n) for n in range(256 - len(own))]
    pieces = characters + [c + "</w>" for c in characters] + [merge.replace(" ", "") for merge in merges]
    return {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}


def copy_tokenizer(name, out):
    folder = os.path.join(ROOT, "models", "clip-tokenizer", name)
    shutil.copytree(folder, os.path.join(out, name), dirs_exist_ok=True)
    with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as file:
        write_json(os.path.join(out, name, "vocab.json"), vocabulary(file.read().splitlines()[1:]))


def write_folder(part, out, components):
    for component in components:
        is_text = component in TEXT_ENCODERS
        config = TEXT_ENCODERS[component] if is_text else model_of(component, part).to_json_string()
        write_json(os.path.join(out, component, "config.json"), config)
        write(os.path.join(out, component, "model.safetensors" if is_text else "diffusion_pytorch_model.safetensors"),
              own_entries(component, part).values())
    for name in ["tokenizer", "tokenizer_2"] if part == "base" else ["tokenizer_2"]:
        copy_tokenizer(name, out)
    write_json(os.path.join(out, "scheduler", "scheduler_config.json"), SCHEDULER)
    write_json(os.path.join(out, "model_index.json"), model_index(part))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layout", choices=["folder", "single"], required=True)
    parser.add_argument("--part", choices=["base", "refiner"], required=True)
    parser.add_argument("--out", required=True, help="folder, or file with --layout single")
    parser.add_argument("--components", nargs="+", choices=COMPONENTS["base"], help="only these (default: all of the part)")
    parser.add_argument("--sparse", action="store_true", help="zeros that take no room on the disk")
    args = parser.parse_args()
    global sparse
    sparse = args.sparse
    unknown = set(args.components or []) - set(COMPONENTS[args.part])
    if unknown:
        parser.error(f"the {args.part} has no {', '.join(unknown)}")
    components = args.components or COMPONENTS[args.part]
    (write_folder if args.layout == "folder" else write_single)(args.part, args.out, components)


if __name__ == "__main__":
    main()
