"""How sure the bundled judge (a small CLIP, models/emoji-xl/judge) is that pictures show what they should.

    judge.py NAME FILE...              (with build/reference/bin/python)
    judge.py --prompts FOLDER...

Compares each picture with NAME and 19 other objects of the model's world, evenly picked from objects.txt. Prints the mean probability of NAME
among the 20 names and how often it comes first. Chance: 0.05. With --prompts each FOLDER is one of `generate --prompts`, and a picture's NAME is its
prompt's object, "fox" of "fox on a white background".
"""
import argparse
import json
import os

import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "emoji-xl")
NAMES = 20


def names_with(wanted):
    """[wanted, 19 others]"""
    with open(os.path.join(MODEL, "objects.txt"), encoding="utf-8") as f:
        others = [name for name in f.read().replace("\n", ";").split(";") if name and name != wanted]
    return [wanted] + [others[i * len(others) // (NAMES - 1)] for i in range(NAMES - 1)]


@torch.no_grad()
def probabilities(files, names):
    """[pictures, names]"""
    folder = os.path.join(MODEL, "judge")
    judge = CLIPModel.from_pretrained(folder).eval()
    texts = AutoTokenizer.from_pretrained(folder)(names, padding=True, return_tensors="pt")
    pixels = CLIPImageProcessor.from_pretrained(folder)([Image.open(file).convert("RGB") for file in files], return_tensors="pt")
    return judge(**texts, **pixels).logits_per_image.softmax(-1)


def report(called, found):
    """found: [pictures, names], the wanted name first."""
    first = (found.argmax(-1) == 0).sum().item()
    print(f"{called}: mean probability {found[:, 0].mean().item():.3f}, first of {NAMES} in {first} of {len(found)} pictures")


def by_prompts(folder):
    """[pictures, names], each picture beside its prompt's object."""
    with open(os.path.join(folder, "metadata.jsonl"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    files = {}
    for line in lines:
        files.setdefault(line["text"].split(" on a ")[0], []).append(os.path.join(folder, line["file_name"]))
    return torch.cat([probabilities(of_name, names_with(name)) for name, of_name in files.items()])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", metavar="FOLDER", nargs="+")
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("files", metavar="FILE", nargs="*")
    args = parser.parse_args()
    for folder in args.prompts or []:
        report(os.path.basename(os.path.normpath(folder)), by_prompts(folder))
    if args.files:
        report(args.name, probabilities(args.files, names_with(args.name)))


if __name__ == "__main__":
    main()
