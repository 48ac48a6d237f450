"""Writes small LoRA files in every dialect into OUT (tests/golden), by diffusers and peft themselves where they can write it.

    python tools/goldens_lora.py MODEL OUT

One random LoRA (ranks 2 and 4, alpha 1) on a handful of modules of MODEL is written as
  lora_diffusers.safetensors           save_lora_weights of today: mixes .lora.down and lora_A; no alpha, so folded into `up`
  lora_diffusers_metadata.safetensors  the same with lora_adapter_metadata (rank_pattern)
  lora_diffusers_2023.safetensors      attention processors' keys of mid-2023, text_encoder the oldest way
  lora_peft/                           PeftModel.save_pretrained of the UNet (adapter_config.json + adapter_model.safetensors)
  lora_kohya.safetensors               SGM block names, one alpha per module
  lora_kohya_blocks.safetensors        diffusers' convert_state_dict_to_kohya (diffusers block names)
lora_expected.safetensors has `probe.<in>` [in, 2] and, per module, `<component>.<module>` = delta @ probe [out, 2].
Files diffusers can load are loaded into a pipeline and compared with the expectation before they are kept.
"""
import copy
import json
import os
import shutil
import sys

import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

RANK, ALPHA = 2, 1.0
WIDE_RANK = 4  # of the modules in WIDE
UNET = [
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
    "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k",
    "down_blocks.2.attentions.0.transformer_blocks.1.attn1.to_out.0",
    "mid_block.attentions.0.transformer_blocks.1.attn2.to_v",
    "up_blocks.0.attentions.2.transformer_blocks.0.attn1.to_k",
    "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_out.0",
    "down_blocks.1.attentions.0.proj_in",
    "down_blocks.2.attentions.1.transformer_blocks.0.ff.net.0.proj",
    "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.2",
]
TEXT = ["encoder.layers.0.self_attn.q_proj", "encoder.layers.2.self_attn.out_proj", "encoder.layers.1.mlp.fc1"]
WIDE = {UNET[1], UNET[6]}
TO = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


def make_lora(pipe):
    """{(component, module): (down [r,in], up [out,r], alpha)}; text modules without `text_model.`."""
    generator = torch.Generator().manual_seed(31)
    lora = {}
    for component, names in (("unet", UNET), ("text_encoder", TEXT), ("text_encoder_2", TEXT)):
        modules = {n.removeprefix("text_model."): m for n, m in getattr(pipe, component).named_modules()}
        for name in names:
            rank = WIDE_RANK if name in WIDE else RANK
            linear = modules[name]
            lora[component, name] = (torch.randn(rank, linear.in_features, generator=generator),
                                     torch.randn(linear.out_features, rank, generator=generator) / 8, ALPHA)
    return lora


def delta(down, up, alpha):
    return up @ down * (alpha / down.shape[0])


def expectation(lora):
    generator = torch.Generator().manual_seed(32)
    probes = {width: torch.randn(width, 2, generator=generator) for width in sorted({d.shape[1] for d, _, _ in lora.values()})}
    out = {f"probe.{width}": probe for width, probe in probes.items()}
    for (component, name), module in lora.items():
        out[f"{component}.{name}"] = delta(*module) @ probes[module[0].shape[1]]
    return out


def add_adapter(model, component, lora, fold_alpha):
    """Injects the LoRA by peft; `fold_alpha` puts alpha / rank into `up` and leaves alpha = rank, as files without alpha need."""
    names = [n for c, n in lora if c == component]
    real = {n.removeprefix("text_model."): n for n, _ in model.named_modules()}
    ranks = {real[n]: lora[component, n][0].shape[0] for n in names if n in WIDE}
    alphas = {n: float(r) for n, r in ranks.items()} if fold_alpha else {}
    config = LoraConfig(r=RANK, lora_alpha=float(RANK) if fold_alpha else ALPHA, rank_pattern=ranks, alpha_pattern=alphas,
                        target_modules=[real[n] for n in names])
    model.add_adapter(config)
    fill(model, component, lora, fold_alpha, real)
    return config


def fill(model, component, lora, fold_alpha, real):
    modules = dict(model.named_modules())
    for (c, name), (down, up, alpha) in lora.items():
        if c == component:
            layer = modules[real[name]]
            layer.lora_A["default"].weight.data.copy_(down)
            layer.lora_B["default"].weight.data.copy_(up * (alpha / down.shape[0]) if fold_alpha else up)


def diffusers_file(path, pipe, lora, with_metadata):
    parts = {}
    for component, short in (("unet", "unet"), ("text_encoder", "text_encoder"), ("text_encoder_2", "text_encoder_2")):
        model = copy.deepcopy(getattr(pipe, component))
        config = add_adapter(model, component, lora, fold_alpha=not with_metadata)
        parts[f"{short}_lora_layers"] = convert_state_dict_to_diffusers(get_peft_model_state_dict(model))
        if with_metadata:
            fields = config.to_dict()
            keep = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "target_modules")
            metadata = {k: sorted(v) if isinstance(v, set) else v for k, v in fields.items() if k in keep}
            if component != "unet":
                metadata["target_modules"] = ["q_proj", "out_proj", "fc1"]
            parts[f"{short}_lora_adapter_metadata"] = metadata
    folder = path + ".tmp"
    StableDiffusionXLPipeline.save_lora_weights(folder, **parts)
    os.replace(os.path.join(folder, "pytorch_lora_weights.safetensors"), path)
    shutil.rmtree(folder)


def file_2023(path, lora):
    tensors = {}
    for (component, name), (down, up, alpha) in lora.items():
        scaled = up * (alpha / down.shape[0])
        if component == "unet":
            if "attn" not in name:
                continue
            module, layer = name.removesuffix(".0").rsplit(".", 1)
            stem = f"unet.{module}.processor.{layer}_lora"
        elif "self_attn" not in name:
            continue
        elif component == "text_encoder":
            module, layer = name.rsplit(".", 1)
            stem = f"text_encoder.text_model.{module}.{TO[layer]}_lora"
        else:
            stem = f"text_encoder_2.text_model.{name}.lora_linear_layer"
        tensors |= {stem + ".down.weight": down.contiguous(), stem + ".up.weight": scaled.contiguous()}
    save_file(tensors, path, metadata={"format": "pt"})


def peft_folder(path, pipe, lora):
    names = [n for c, n in lora if c == "unet"]
    model = get_peft_model(pipe.unet, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=names,
                                                 rank_pattern={n: WIDE_RANK for n in names if n in WIDE}))
    fill(model.base_model.model, "unet", lora, False, {n: n for n in names})
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path)
    model.unload()
    os.remove(os.path.join(path, "README.md"))
    config_path = os.path.join(path, "adapter_config.json")
    config = json.load(open(config_path))
    config["base_model_name_or_path"] = None
    config["target_modules"] = sorted(config["target_modules"])
    json.dump(config, open(config_path, "w"), indent=2, sort_keys=True)


def sgm_name(name, layers_per_block):
    """kohya's block names: input_blocks counts conv_in and the downsamplers too (sd-scripts, make_unet_conversion_map)."""
    kind, rest = name.split(".", 1)
    if kind == "mid_block":
        return rest.replace("attentions.0", "middle_block.1", 1)
    block, _, index, tail = rest.split(".", 3)
    per_block = layers_per_block + 1
    if kind == "down_blocks":
        return f"input_blocks.{1 + per_block * int(block) + int(index)}.1.{tail}"
    return f"output_blocks.{per_block * int(block) + int(index)}.1.{tail}"


def kohya_file(path, pipe, lora):
    tensors = {}
    for (component, name), (down, up, alpha) in lora.items():
        full = sgm_name(name, pipe.unet.config.layers_per_block) if component == "unet" else "text_model." + name
        prefix = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[component]
        stem = prefix + full.replace(".", "_")
        tensors |= {stem + ".lora_down.weight": down, stem + ".lora_up.weight": up, stem + ".alpha": torch.tensor(alpha)}
    save_file(tensors, path, metadata={"ss_network_dim": str(RANK), "ss_network_alpha": str(ALPHA), "ss_output_name": "golden",
                                       "ss_tag_frequency": json.dumps({"1_x": {"lens cap": 1, "wrong": 7}})})


def kohya_blocks_file(path, pipe, lora):
    """convert_state_dict_to_kohya writes alpha = rank, so alpha / rank goes into `up`."""
    tensors = {}
    for (component, name), (down, up, alpha) in lora.items():
        real = next(n for n, _ in getattr(pipe, component).named_modules() if n.removeprefix("text_model.") == name)
        stem = f"{component}.{real}"
        tensors |= {stem + ".lora_A.weight": down, stem + ".lora_B.weight": up * (alpha / down.shape[0])}
    save_file({k: v.contiguous() for k, v in convert_state_dict_to_kohya(tensors).items()}, path)


def check_in_diffusers(path, pipe, expected, skip=()):
    """Loads the file by diffusers: another value is an error, a module it loses (one naming style a component) is printed.
    `skip`: modules whose alpha diffusers replaces by the component's most frequent one (sdxl.md 8.2)."""
    pipe.load_lora_weights(os.path.dirname(path), weight_name=os.path.basename(path))
    lost = []
    for key, wanted in expected.items():
        if key.startswith("probe.") or key.removeprefix("unet.") in skip:
            continue
        component, name = key.split(".", 1)
        layer = {n.removeprefix("text_model."): m for n, m in getattr(pipe, component).named_modules()}[name]
        adapter = next(iter(getattr(layer, "lora_A", {})), None)
        if adapter is None:
            lost.append(key)
            continue
        got = layer.get_delta_weight(adapter).detach() @ expected[f"probe.{layer.in_features}"]
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4, msg=lambda text: f"{path} {key}: {text}")
    pipe.unload_lora_weights()
    print(os.path.basename(path), os.path.getsize(path), "bytes; diffusers misses", lost or "nothing")


def main():
    model, out = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    pipe = StableDiffusionXLPipeline.from_pretrained(model)
    lora = make_lora(pipe)
    expected = expectation(lora)
    save_file(expected, os.path.join(out, "lora_expected.safetensors"))
    path = lambda name: os.path.join(out, f"lora_{name}.safetensors")
    diffusers_file(path("diffusers"), pipe, lora, with_metadata=False)
    diffusers_file(path("diffusers_metadata"), pipe, lora, with_metadata=True)
    file_2023(path("diffusers_2023"), lora)
    kohya_file(path("kohya"), pipe, lora)
    kohya_blocks_file(path("kohya_blocks"), pipe, lora)
    for name in ("diffusers", "diffusers_metadata", "diffusers_2023", "kohya", "kohya_blocks"):
        check_in_diffusers(path(name), pipe, expected, skip=WIDE if name == "kohya_blocks" else ())
    peft_folder(os.path.join(out, "lora_peft"), pipe, lora)


if __name__ == "__main__":
    main()
