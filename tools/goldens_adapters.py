"""Writes OUT/adapters.safetensors: adapters of every kind on single layers of MODEL's UNet, with what the library that makes such
files computes for them.

    python tools/goldens_adapters.py MODEL OUT

For each case NAME there are the tensors `NAME|KEY` of a file, `NAME|x`, an input of the layer, and `NAME|y`, by how much the adapter
changes its output: the module's forward, built by hand, at weight 1 and without bypass, minus the plain layer's. The layer stands in
the metadata: NAME -> our name. LyCORIS 4.1.3 (its loader and merge_to are not asked: they disagree with its forward); DoRA under
diffusers' names by peft 0.21.2.
"""
import copy
import os
import sys

import torch
from diffusers import UNet2DConditionModel
from lycoris.modules.full import FullModule
from lycoris.modules.glora import GLoRAModule
from lycoris.modules.ia3 import IA3Module
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

LINEAR = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"  # 64 x 64: its axes have one length
WIDE = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"  # 64 x 160
BIASED = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.1.resnets.0.conv1"  # 64 x 32 x 3 x 3
SQUARE = "down_blocks.1.resnets.0.conv2"  # 64 x 64 x 3 x 3
SMALL = "down_blocks.1.resnets.0.conv_shortcut"  # 64 x 32 x 1 x 1
STRIDE = "down_blocks.1.downsamplers.0.conv"  # 64 x 64 x 3 x 3, stride 2
LAYER_NORM = "down_blocks.1.attentions.0.transformer_blocks.0.norm1"
GROUP_NORM = "down_blocks.1.resnets.0.norm2"
DORA, DORA_IN = {"weight_decompose": True}, {"weight_decompose": True, "wd_on_out": False}
# name -> (module, layer, options); rank 4 and alpha 3 unless they say otherwise
CASES = {
    "locon linear": (LoConModule, LINEAR, {}),
    "locon conv": (LoConModule, CONV, {}),
    "locon 1x1": (LoConModule, SMALL, {}),
    "locon stride": (LoConModule, STRIDE, {}),
    "locon tucker": (LoConModule, CONV, {"use_tucker": True}),
    "locon tucker stride": (LoConModule, STRIDE, {"use_tucker": True}),
    "locon rslora": (LoConModule, WIDE, {"rs_lora": True}),
    "dora": (LoConModule, LINEAR, DORA),
    "dora inputs": (LoConModule, LINEAR, DORA_IN),
    "dora wide": (LoConModule, WIDE, DORA),
    "dora wide inputs": (LoConModule, WIDE, DORA_IN),
    "dora conv": (LoConModule, SQUARE, DORA),
    "dora conv inputs": (LoConModule, SQUARE, DORA_IN),
    "dora tucker": (LoConModule, CONV, {"use_tucker": True, **DORA}),
    "loha": (LohaModule, WIDE, {}),
    "loha conv": (LohaModule, CONV, {}),
    "loha tucker": (LohaModule, CONV, {"use_tucker": True}),
    "loha dora": (LohaModule, LINEAR, DORA),
    "lokr whole": (LokrModule, WIDE, {"full_matrix": True}),
    "lokr second factored": (LokrModule, WIDE, {"factor": 4}),
    "lokr both factored": (LokrModule, WIDE, {"factor": 8, "decompose_both": True, "lora_dim": 2}),
    "lokr first factored": (LokrModule, LINEAR, {"decompose_both": True, "factor": 4, "lora_dim": 1, "full": "w2"}),
    "lokr unbalanced": (LokrModule, WIDE, {"factor": 4, "unbalanced_factorization": True}),
    "lokr conv": (LokrModule, CONV, {"factor": 4}),
    "lokr conv whole": (LokrModule, CONV, {"full_matrix": True}),
    "lokr tucker": (LokrModule, CONV, {"factor": 4, "use_tucker": True, "lora_dim": 3}),
    "lokr dora": (LokrModule, LINEAR, {"factor": 4, **DORA}),
    "ia3": (IA3Module, WIDE, {}),
    "ia3 inputs": (IA3Module, WIDE, {"train_on_input": True}),
    "ia3 conv": (IA3Module, CONV, {}),
    "ia3 conv inputs": (IA3Module, CONV, {"train_on_input": True}),
    "glora": (GLoRAModule, WIDE, {}),
    "glora conv": (GLoRAModule, CONV, {}),
    "glora tucker": (GLoRAModule, CONV, {"use_tucker": True}),
    "difference": (FullModule, BIASED, {}),
    "difference conv": (FullModule, SMALL, {}),
    "layer norm": (NormModule, LAYER_NORM, {}),
    "group norm": (NormModule, GROUP_NORM, {}),
}
PEFT = {"peft dora": (WIDE, {}), "peft dora square": (LINEAR, {}), "peft dora conv": (SQUARE, {})}
RANK, ALPHA = 4, 3.0


def randomise(module, generator):
    """Nothing is as it was begun; magnitudes stay near the weight's norm."""
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name == "dora_scale" or "magnitude" in name:
            parameter.data.mul_(1 + 0.1 * noise)
        else:
            parameter.data.copy_(noise * (0.02 if "diff" in name or "norm" in name else 0.2))


def sample(layer, generator):
    if isinstance(layer, (torch.nn.Conv2d, torch.nn.GroupNorm)):
        channels = getattr(layer, "in_channels", None) or layer.num_channels
        return torch.randn(1, channels, 4, 4, generator=generator)
    width = getattr(layer, "in_features", None) or layer.normalized_shape[0]
    return torch.randn(2, width, generator=generator)


def by_lycoris(unet, kind, name, options, generator):
    layer = unet.get_submodule(name)
    if "full" in options:  # a form that the constructor never chooses: w1 of factors, w2 whole
        options = {key: value for key, value in options.items() if key != "full"}
        module = kind("", layer, lora_dim=options.pop("lora_dim"), alpha=ALPHA, **options)
        del module.lokr_w2_a, module.lokr_w2_b
        module.use_w2, module.lokr_w2 = True, torch.nn.Parameter(torch.empty(16, 16))
    else:
        module = kind("", layer, **{"lora_dim": RANK, "alpha": ALPHA, **options})
    randomise(module, generator)
    module.eval()
    x = sample(layer, generator)
    with torch.no_grad():
        y = module(x) - layer(x)
        # a difference that is not yet applied is its parameters; custom_state_dict would take the layer's weight off them
        tensors = ({"diff": module.weight, "diff_b": module.bias} if kind is FullModule else
                   module.custom_state_dict() or dict(module.state_dict()))
    stem = "lora_unet_" + name.replace(".", "_")
    return {f"{stem}.{key}": tensor.detach() for key, tensor in tensors.items()}, x, y


def by_peft(unet, name, options, generator):
    unet = copy.deepcopy(unet)
    plain = copy.deepcopy(unet.get_submodule(name))
    model = get_peft_model(unet, LoraConfig(r=RANK, lora_alpha=RANK, target_modules=[name], use_dora=True))
    randomise(torch.nn.ModuleDict({"a": model.base_model.model.get_submodule(name).lora_A,
                                   "b": model.base_model.model.get_submodule(name).lora_B,
                                   "magnitude": model.base_model.model.get_submodule(name).lora_magnitude_vector}), generator)
    x = sample(plain, generator)
    with torch.no_grad():
        y = model.base_model.model.get_submodule(name)(x) - plain(x)
    return dict(get_peft_model_state_dict(model)), x, y


def main(model, out):
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_pretrained(os.path.join(model, "unet"), torch_dtype=torch.float32)
    unet.requires_grad_(False)
    generator = torch.Generator().manual_seed(41)
    made = {name: (layer, by_lycoris(unet, kind, layer, options, generator)) for name, (kind, layer, options) in CASES.items()}
    made |= {name: (layer, by_peft(unet, layer, options, generator)) for name, (layer, options) in PEFT.items()}
    tensors, layers = {}, {}
    for name, (layer, (pieces, x, y)) in made.items():
        layers[name] = layer
        assert y.abs().max() > 1e-3, name
        for key, tensor in {**pieces, "x": x, "y": y}.items():
            tensors[f"{name}|{key}"] = tensor.detach().clone().contiguous()
    save_file(tensors, os.path.join(out, "adapters.safetensors"), metadata=layers)


if __name__ == "__main__":
    main(*sys.argv[1:])
