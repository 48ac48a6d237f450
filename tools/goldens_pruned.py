"""Writes OUT/unet_pruned.safetensors: UNets with the blocks that makers of smaller SDXLs left, of few channels and random weights, and what
diffusers makes of them in fp32 on one CPU thread.

    goldens_pruned.py MODEL OUT         (MODEL is not used)

  NAME.weights.KEY                             fp16, drawn with as fp32
  NAME.sample, .timestep, .prompt_embeds, .pooled_prompt_embeds, .add_time_ids, .noise_pred
  metadata NAME                                config.json
"""
import json
import os
import sys

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

WIDTHS = dict(block_out_channels=(4, 4, 4), attention_head_dim=(1, 2, 2), cross_attention_dim=6, norm_num_groups=2, sample_size=8,
              addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 * 4 + 8, addition_embed_type="text_time",
              use_linear_projection=True, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
              up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"))
# The entries of segmind/SSD-1B, segmind/Segmind-Vega and etri-vilab/koala-700m (shallower) that differ from SDXL's.
KINDS = {
    "ssd": dict(mid_block_type="UNetMidBlock2D", transformer_layers_per_block=[1, [2, 2], [1, 2]],
                reverse_transformer_layers_per_block=[[1, 2, 3], [2, 1, 1], 1]),
    "vega": dict(mid_block_type="UNetMidBlock2D", transformer_layers_per_block=[1, 1, 2]),
    "koala": dict(mid_block_type=None, transformer_layers_per_block=[1, 2, 3], layers_per_block=1),
}


@torch.no_grad()
def case(name, changes):
    torch.manual_seed(sum(name.encode()))
    unet = UNet2DConditionModel(**WIDTHS, **changes).eval().half().float()
    draw = lambda *shape: torch.randn(*shape).half().float()
    given = {"sample": draw(2, 4, 9, 6), "timestep": torch.tensor(341.0), "prompt_embeds": draw(2, 7, 6), "pooled_prompt_embeds": draw(2, 8),
             "add_time_ids": torch.tensor([[64.0, 48, 0, 8, 64, 64]] * 2)}
    noise_pred = unet(given["sample"], given["timestep"], encoder_hidden_states=given["prompt_embeds"],
                      added_cond_kwargs={"text_embeds": given["pooled_prompt_embeds"], "time_ids": given["add_time_ids"]}).sample
    tensors = {f"{name}.weights.{key}": tensor.half().contiguous() for key, tensor in unet.state_dict().items()}
    tensors |= {f"{name}.{key}": tensor.contiguous() for key, tensor in {**given, "noise_pred": noise_pred}.items()}
    return tensors, json.dumps(dict(unet.config), sort_keys=True)


def main():
    torch.set_num_threads(1)
    tensors, configs = {}, {}
    for name, changes in KINDS.items():
        made, configs[name] = case(name, changes)
        tensors |= made
    path = os.path.join(sys.argv[2], "unet_pruned.safetensors")
    save_file(tensors, path, metadata=configs)
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
