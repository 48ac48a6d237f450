"""`negativa score` against transformers and NumPy: CLIP scores of 50 pictures of 50 sizes and kinds, CMMD by its definition and as its released code sums it."""
import json
import os
import subprocess

import numpy as np
import torch

from judge_reference import KINDS, Judge, picture, save

SCORE_LIMIT = 1e-4  # of 100 times the cosine
CMMD_LIMIT = 1e-6
TEXTS = ["red apple on a blue background", "a big lion", "fox next to volcano on a teal background, blurry", "watermark", "small owl " * 50]


def make_folder(folder, kinds, first_seed):
    """[(file, text)]"""
    os.makedirs(folder)
    lines = []
    for i, (width, height, mode, ending) in enumerate(kinds):
        name = f"{i:02}_{width}x{height}_{mode}.{ending}"
        save(picture(width, height, mode, first_seed + i), os.path.join(folder, name))
        lines.append((name, TEXTS[i % len(TEXTS)].strip()))
    with open(os.path.join(folder, "metadata.jsonl"), "w") as f:
        f.writelines(json.dumps({"file_name": name, "text": text}) + "\n" for name, text in lines)
    return lines


def embeds(judge, folder, lines):
    return torch.cat([judge.image_embeds(os.path.join(folder, name)) for name, _ in lines])


def cmmd(x, y):
    kernel = lambda a, b: np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 200)
    off = lambda k: k[~np.eye(len(k), dtype=bool)]
    kxx, kyy, kxy = kernel(x, x), kernel(y, y), kernel(x, y)
    return 1000 * (off(kxx).mean() + off(kyy).mean() - 2 * kxy.mean()), 1000 * (kxx.mean() + kyy.mean() - 2 * kxy.mean())


def rows(program, model, folder):
    """(case, what, measured, limit)"""
    pictures, reference = os.path.join(folder, "judged"), os.path.join(folder, "judge reference")
    lines, others = make_folder(pictures, KINDS, 0), make_folder(reference, [(64, 64, "RGB", "png")] * 20, 100)
    judge = Judge(os.path.join(model, "judge"))
    run = subprocess.run([program, "score", pictures, "--judge", os.path.join(model, "judge"), "--reference", reference, "--metrics", "clip_score,cmmd", "--json", "-q"],
                         capture_output=True, text=True, check=False)
    if run.returncode != 0:
        yield "judge", f"the program failed: {run.stderr.strip()}", float("inf"), 0
        return
    scored = json.loads(run.stdout)["sets"][0]
    got = {one["file"]: one["values"]["clip_score"] for one in scored["pictures"]}
    x, y = embeds(judge, pictures, lines), embeds(judge, reference, others)
    away = {}
    for (name, text), row in zip(lines, x):
        away[name] = abs(got[name] - 100 * (row @ judge.text_embeds(text)[0]).item())
    worst = max(away, key=away.get)
    yield f"judge, {len(away)} pictures of {len(set(KINDS))} sizes and kinds", f"CLIP score, farthest: {worst}", away[worst], SCORE_LIMIT
    unbiased, biased = cmmd(x.double().numpy(), y.double().numpy())
    yield "judge", "CMMD", abs(scored["metrics"]["cmmd"]["value"] - unbiased), CMMD_LIMIT
    yield "judge", "CMMD, biased", abs(scored["metrics"]["cmmd_biased"]["value"] - biased), CMMD_LIMIT
