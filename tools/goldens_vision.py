"""Goldens of src/vision from transformers: eight pictures of eight kinds, judged by the bundled judge.

    goldens_vision.py MODEL OUT

Writes OUT/clip_models.json: config.json, names and shapes of the published ViT-L/14, ViT-H/14 and ViT-bigG/14, `*` for the number of a layer; and OUT/vision/*.png and *.jpg, and OUT/vision.safetensors: `scores` [8,4] (100 times the cosine), `probabilities` [8,4], and `pixels.CASE`, what
CLIPImageProcessorPil makes of one of the pictures by the configuration in the metadata's `processors`; `texts` and `files` are there too; `cmmd.*`: two
sets of vectors, a resample of the first, and their CMMD by NumPy.
"""
import argparse
import json
import os
import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

from judge_reference import Judge, picture, save

PICTURES = [("tall.png", 1, 90, "RGB"), ("wide.png", 90, 2, "RGB"), ("grey.png", 37, 50, "L"), ("alpha.png", 40, 64, "RGBA"), ("palette.png", 48, 41, "P"),
            ("transparent.png", 33, 29, "PA"), ("two.png", 30, 30, "1"), ("photo.jpg", 70, 45, "RGB")]
TEXTS = ["red apple on a blue background", "a big lion, blurry", "", "fox next to volcano " * 40]  # the last is longer than 77 tokens
FLAT = {"image_mean": [0.48, 0.46, 0.41], "image_std": [0.27, 0.26, 0.28]}
# Spellings of all years; the crop is larger than the resized picture in some.
PROCESSORS = {
    "numbers": {"size": 10, "crop_size": 9, "resample": 3, "do_resize": True, "do_center_crop": True, "do_normalize": True, "feature_extractor_type": "CLIPFeatureExtractor", **FLAT},
    "lists": {"size": [9, 14], "crop_size": [8, 11], "resample": 2, **FLAT},
    "objects": {"size": {"height": 9, "width": 14}, "crop_size": {"height": 12, "width": 11}, "resample": 1, **FLAT},
    "no_crop": {"size": {"height": 7, "width": 8}, "do_center_crop": False, **FLAT},
    "no_resize": {"do_resize": False, "crop_size": 15, **FLAT},
    "larger_crop": {"size": 8, "crop_size": {"height": 21, "width": 15}, **FLAT},
    "no_normalize": {"size": 8, "crop_size": 8, "do_normalize": False},
    "no_rescale": {"size": 8, "crop_size": 8, "do_rescale": False, "image_mean": [100, 120, 140], "image_std": [50, 60, 70]},
    "factor": {"size": 8, "crop_size": 8, "rescale_factor": 0.00784313725490196, "image_mean": [1.0, 1.0, 1.0], "image_std": [1.0, 1.0, 1.0]},
    "clip_values": {"size": 8, "crop_size": 8},
}
SHOWN = ["photo.jpg", "grey.png"]  # what each of them is shown

# As openai/clip-vit-large-patch14, laion/CLIP-ViT-H-14-laion2B-s32B-b79K and laion/CLIP-ViT-bigG-14-laion2B-39B-b160k have them; millions of parameters as in open_clip's docs/model_profile.csv.
PUBLISHED = {
    "ViT-L/14": (427.62, {
        "architectures": ["CLIPModel"], "model_type": "clip", "logit_scale_init_value": 2.6592, "projection_dim": 768, "torch_dtype": "float32",
        "text_config": {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "hidden_act": "quick_gelu", "hidden_size": 768, "intermediate_size": 3072, "layer_norm_eps": 1e-05,
                        "max_position_embeddings": 77, "num_attention_heads": 12, "num_hidden_layers": 12, "projection_dim": 768, "vocab_size": 49408},
        "text_config_dict": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "projection_dim": 768},
        "vision_config": {"hidden_act": "quick_gelu", "hidden_size": 1024, "image_size": 224, "intermediate_size": 4096, "layer_norm_eps": 1e-05, "num_attention_heads": 16,
                          "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768},
        "vision_config_dict": {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768}}),
    "ViT-H/14": (986.11, {
        "architectures": ["CLIPModel"], "model_type": "clip", "logit_scale_init_value": 2.6592, "projection_dim": 1024,
        "text_config": {"hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24},
        "text_config_dict": {"hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "projection_dim": 1024},
        "vision_config": {"hidden_act": "gelu", "hidden_size": 1280, "image_size": 224, "intermediate_size": 5120, "num_attention_heads": 16, "num_hidden_layers": 32, "patch_size": 14},
        "vision_config_dict": {"hidden_act": "gelu", "hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 16, "num_hidden_layers": 32, "patch_size": 14,
                               "projection_dim": 1024}}),
    "ViT-bigG/14": (2539.57, {
        "architectures": ["CLIPModel"], "model_type": "clip", "logit_scale_init_value": 2.6592, "projection_dim": 1280,
        "text_config": {"hidden_act": "gelu", "hidden_size": 1280, "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32, "projection_dim": 1280},
        "vision_config": {"hidden_act": "gelu", "hidden_size": 1664, "image_size": 224, "intermediate_size": 8192, "num_attention_heads": 16, "num_hidden_layers": 48, "patch_size": 14,
                          "projection_dim": 1280}}),
}


def published():
    """{model: {config, parameters, tensors: {name with * for a layer's number: [layers, shape]}}}, the names as in the published files, which are of transformers 4."""
    models = {}
    for name, (millions, config) in PUBLISHED.items():
        with torch.device("meta"):
            tensors = CLIPModel(CLIPConfig(**{key: value for key, value in config.items() if key != "torch_dtype"})).state_dict()
        count = sum(tensor.numel() for tensor in tensors.values())
        if round(count / 1e6, 2) != millions:
            raise SystemExit(f"{name}: got {count:,} parameters, expected {millions} million")
        patterns = {}
        for key, tensor in tensors.items():
            pattern = re.sub(r"layers\.\d+", "layers.*", key)
            patterns[pattern] = [patterns.get(pattern, [0])[0] + 1, list(tensor.shape)]
        models[name] = {"config": config, "parameters": count, "tensors": patterns}
    return models


def cmmd(x, y, pairs):
    """Unbiased (arXiv:2401.09603: different pictures alone, of a resample those that are no copies of each other) and, as the released code sums it, biased."""
    kernel = lambda a, b: np.exp(-((a[:, None].astype(np.float64) - b[None].astype(np.float64)) ** 2).sum(-1) / (2 * 10 ** 2))
    m = len(y)
    kyy = kernel(y, y)
    unbiased = (kernel(x, x) * pairs).sum() / pairs.sum() + kyy[~np.eye(m, dtype=bool)].mean() - 2 * kernel(x, y).mean()
    return 1000 * unbiased, 1000 * (kernel(x, x).mean() + kyy.mean() - 2 * kernel(x, y).mean())


def cmmd_tensors():
    random = np.random.default_rng(7)
    unit = lambda rows: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    x, y = unit(random.normal(0.2, 1, (12, 16))), unit(random.normal(0, 1, (9, 16)))
    resample = random.integers(0, len(x), len(x))
    unbiased, biased = cmmd(x, y, ~np.eye(len(x), dtype=bool))
    of_resample, _ = cmmd(x[resample], y, resample[:, None] != resample[None])
    values = {"cmmd.x": x, "cmmd.y": y, "cmmd.resample": resample, "cmmd.unbiased": unbiased, "cmmd.biased": biased, "cmmd.unbiased_resample": of_resample}
    return {name: torch.from_numpy(np.array(value)) for name, value in values.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.out / "vision"
    folder.mkdir(exist_ok=True)
    files = [str(folder / name) for name, *_ in PICTURES]
    for seed, (path, (_, width, height, mode)) in enumerate(zip(files, PICTURES)):
        save(picture(width, height, mode, seed), path)
    (args.out / "clip_models.json").write_text(json.dumps(published(), indent=1) + "\n")
    judge = Judge(str(args.model / "judge"))
    scores = judge.scores(files, TEXTS)
    tensors = {"scores": scores, "probabilities": (scores / 100 * judge.model.logit_scale.exp()).softmax(-1).detach()}
    for case, config in PROCESSORS.items():
        for name in SHOWN:
            pixels = judge.pixels(folder / name, CLIPImageProcessorPil(**{key: value for key, value in config.items() if key != "feature_extractor_type"}))
            tensors[f"pixels.{case}.{name}"] = pixels.float()
    tensors |= cmmd_tensors()
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    out = args.out / "vision.safetensors"
    save_file(tensors, out, metadata={"files": json.dumps([name for name, *_ in PICTURES]), "texts": json.dumps(TEXTS), "processors": json.dumps(PROCESSORS),
                                      "shown": json.dumps(SHOWN)})
    print(out, os.path.getsize(out), "bytes;", sum(os.path.getsize(file) for file in files), "bytes of pictures")


if __name__ == "__main__":
    main()
