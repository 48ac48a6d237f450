"""Small random LoRAs for prove.py, and one of them in every dialect negativa reads."""
import os

import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from goldens_lora import sgm_name

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
TEXT_ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]
OLD_NAMES = {"to_q": "to_q_lora", "to_k": "to_k_lora", "to_v": "to_v_lora", "to_out.0": "to_out_lora"}


def random_adapter(model, rank, targets, strength, generator):
    """The state dict of a peft adapter whose B is not zero, as training would leave it. The model is left as it was."""
    model.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), adapter_name="random")
    for name, parameter in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            deviation = strength if "lora_B" in name else 1 / parameter.shape[1] ** 0.5
            parameter.data = torch.randn(parameter.shape, generator=generator) * deviation
    state = {key: tensor.clone() for key, tensor in get_peft_model_state_dict(model, adapter_name="random").items()}
    model.delete_adapters("random") if hasattr(model, "delete_adapters") else model.delete_adapter("random")
    return state


def diffusers_lora(reference, path, seed, strength=0.05, text_encoders=False, targets=ATTENTION):
    """Written as diffusers' own training scripts write it."""
    generator = torch.Generator().manual_seed(seed)
    parts = {"unet_lora_layers": random_adapter(reference.base.unet, 4, targets, strength, generator)}
    if text_encoders:
        for name in ("text_encoder", "text_encoder_2"):
            parts[name + "_lora_layers"] = random_adapter(getattr(reference.base, name), 2, TEXT_ATTENTION, strength, generator)
    if set(targets) <= set(ATTENTION):
        parts = {name: convert_state_dict_to_diffusers(part) for name, part in parts.items()}
    StableDiffusionXLPipeline.save_lora_weights(os.path.dirname(path), **parts, weight_name=os.path.basename(path))
    return path


def unet_modules(path):
    """{module: (down, up)} of the UNet part of a file of diffusers_lora."""
    tensors = load_file(path)
    return {key[len("unet."):-len(".lora.down.weight")]: (down, tensors[key.replace(".lora.down.", ".lora.up.")])
            for key, down in tensors.items() if key.startswith("unet.") and key.endswith(".lora.down.weight")}


def peft_keys(modules, prefix):
    return {f"{prefix}{name}.lora_{side}.weight": tensor for name, pair in modules.items() for side, tensor in zip("AB", pair)}


def keys_of_2023(modules):
    tensors = {}
    for name, (down, up) in modules.items():
        attention, layer = next((name[:-len(layer) - 1], layer) for layer in OLD_NAMES if name.endswith("." + layer))
        stem = f"unet.{attention}.processor.{OLD_NAMES[layer]}"
        tensors |= {stem + ".down.weight": down, stem + ".up.weight": up}
    return tensors


def kohya_keys(modules, layers_per_block):
    """alpha is half the rank and `up` twice as large, so a reader that ignores alpha is found out."""
    tensors = {}
    for name, (down, up) in modules.items():
        stem = "lora_unet_" + sgm_name(name, layers_per_block).replace(".", "_")
        tensors |= {stem + ".lora_down.weight": down, stem + ".lora_up.weight": up * 2, stem + ".alpha": torch.tensor(down.shape[0] / 2)}
    return tensors


def write_dialects(path, reference):
    """{dialect: file} of the UNet LoRA in `path`, all the same function."""
    modules = unet_modules(path)
    dialects = {
        "diffusers lora_A": peft_keys(modules, "unet."),
        "diffusers 2023": keys_of_2023(modules),
        "peft": peft_keys(modules, "base_model.model."),
        "kohya": kohya_keys(modules, reference.base.unet.config.layers_per_block),
        "kohya, diffusers block names": convert_state_dict_to_kohya(peft_keys(modules, "unet.")),
    }
    files = {}
    for dialect, tensors in dialects.items():
        files[dialect] = path.replace(".safetensors", "_" + dialect.replace(",", "").replace(" ", "_") + ".safetensors")
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, files[dialect], metadata={"format": "pt"})
    return files


def embedding(reference, path, seed):
    """A textual inversion file of two vectors a token, with both encoders' widths."""
    generator = torch.Generator().manual_seed(seed)
    tables = {"clip_l": reference.base.text_encoder, "clip_g": reference.base.text_encoder_2}
    vectors = {}
    for key, encoder in tables.items():
        table = encoder.get_input_embeddings().weight
        vectors[key] = torch.randn((2, table.shape[1]), generator=generator) * table.std().item()
    save_file(vectors, path)
    return path
