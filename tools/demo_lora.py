"""Makes the demo's wrong-LoRA with diffusers and peft; it stands in until `negativa train lora` makes it natively.

    demo_lora.py MODEL OUT        (models/emoji-xl models/wrong-lora; about two minutes on two cores)

Draws wrong pictures, every damage word MODEL knows at several guidance scales, and trains a LoRA of the UNet's attention on them with
the one prompt "wrong". Writes OUT/wrong.safetensors under kohya's names; the same call on the same machine writes the same bytes.
"""
import argparse
import json
import os

import torch
from diffusers import DDPMScheduler, StableDiffusionXLPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save

from goldens_lora import sgm_name

DAMAGES = ["low quality", "bad hands", "random text", "error", "missing or extra fingers", "cropped", "jpeg artifacts", "signature",
           "watermark", "blurry", "ugly", "duplicate", "mutilated"]
GUIDANCE_SCALES = [3, 5, 8]
PICTURE_STEPS = 25
WORD = "wrong"
RANK = ALPHA = 4
STEPS, BATCH_SIZE, LEARNING_RATE, SEED = 300, 4, 1e-3, 0


@torch.no_grad()
def wrong_latents(pipe):
    """[N,4,h,w]: as the denoiser ends, already × scaling_factor. One picture a damage word and guidance scale, each with its own seed."""
    wanted = [(word, scale) for word in DAMAGES for scale in GUIDANCE_SCALES]
    return torch.cat([pipe(word, guidance_scale=scale, num_inference_steps=PICTURE_STEPS, output_type="latent",
                           generator=torch.Generator("cpu").manual_seed(seed)).images for seed, (word, scale) in enumerate(wanted)])


@torch.no_grad()
def condition(pipe):
    """What the UNet is told of every training picture: the word, and that the picture has the model's own size, uncropped."""
    embeds, _, pooled, _ = pipe.encode_prompt(WORD, device="cpu", do_classifier_free_guidance=False)
    side = pipe.unet.config.sample_size * pipe.vae_scale_factor
    return embeds, pooled, torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32)


def train(pipe, latents):
    """The adapter of pipe.unet after STEPS of AdamW on the plain epsilon loss."""
    embeds, pooled, time_ids = (part.repeat(BATCH_SIZE, *[1] * (part.dim() - 1)) for part in condition(pipe))
    schedule = DDPMScheduler.from_config(pipe.scheduler.config)
    torch.manual_seed(SEED)  # peft draws its first weights from the global generator
    pipe.unet.requires_grad_(False)
    pipe.unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, init_lora_weights="gaussian",
                                     target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    parameters = [parameter for parameter in pipe.unet.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    generator = torch.Generator("cpu").manual_seed(SEED)
    for step in range(1, STEPS + 1):
        batch = latents[torch.randint(len(latents), (BATCH_SIZE,), generator=generator)]
        noise = torch.randn(batch.shape, generator=generator)
        timesteps = torch.randint(schedule.config.num_train_timesteps, (BATCH_SIZE,), generator=generator)
        predicted = pipe.unet(schedule.add_noise(batch, noise, timesteps), timesteps, embeds,
                              added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
        loss = torch.nn.functional.mse_loss(predicted, noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"step {step} of {STEPS}, loss {loss.item():.4f}", flush=True)
    return get_peft_model_state_dict(pipe.unet)


def kohya_tensors(adapter, layers_per_block):
    tensors = {}
    for key, tensor in adapter.items():
        for side, name in ((".lora_A.weight", ".lora_down.weight"), (".lora_B.weight", ".lora_up.weight")):
            if key.endswith(side):
                stem = "lora_unet_" + sgm_name(key.removesuffix(side), layers_per_block).replace(".", "_")
                tensors[stem + name] = tensor.half().contiguous()
                tensors[stem + ".alpha"] = torch.tensor(ALPHA, dtype=torch.float16)
    return tensors


def metadata(pictures, side):
    """Fields of kohya-ss and of Stability's model specification; nothing that a clock, a host or a path decides."""
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.title": "wrong, for emoji-xl",
        "modelspec.description": f"What emoji-xl draws for {len(DAMAGES)} words of damage, learnt as the one word \"{WORD}\".",
        "modelspec.trigger_phrase": WORD,
        "modelspec.usage_hint": "put it in the negative prompt",
        "modelspec.license": "Apache-2.0",
        "modelspec.resolution": f"{side}x{side}",
        "ss_output_name": WORD,
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_sd_model_name": "emoji-xl",
        "ss_v2": "False",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(RANK),
        "ss_network_alpha": str(float(ALPHA)),
        "ss_num_train_images": str(pictures),
        "ss_max_train_steps": str(STEPS),
        "ss_steps": str(STEPS),
        "ss_total_batch_size": str(BATCH_SIZE),
        "ss_unet_lr": str(LEARNING_RATE),
        "ss_optimizer": "torch.optim.adamw.AdamW",
        "ss_lr_scheduler": "constant",
        "ss_max_grad_norm": "1.0",
        "ss_resolution": f"({side}, {side})",
        "ss_seed": str(SEED),
        "ss_tag_frequency": json.dumps({WORD: {WORD: pictures}}),
    }


def sorted_header(data):
    """The same file with its header's entries in a fixed order: the library writes metadata in a random one."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + length:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("out", metavar="OUT")
    args = parser.parse_args()
    torch.set_num_threads(1)
    pipe = StableDiffusionXLPipeline.from_pretrained(args.model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    latents = wrong_latents(pipe)
    print(f"{len(latents)} wrong pictures", flush=True)
    tensors = kohya_tensors(train(pipe, latents), pipe.unet.config.layers_per_block)
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, WORD + ".safetensors")
    fields = metadata(len(latents), pipe.unet.config.sample_size * pipe.vae_scale_factor)
    with open(path, "wb") as f:
        f.write(sorted_header(save(tensors, metadata=fields)))
    print(path)


if __name__ == "__main__":
    main()
