"""Goldens of src/text from transformers and Compel.

  goldens_text.py MODEL OUT [--clip-tokenizer FOLDER] [--texts 200] [--prompts 90] [--seed 0]

MODEL: an SDXL diffusers folder (the bundled emoji-xl). CLIP_TOKENIZER: the folder with tokenizer/ and tokenizer_2/ of CLIP's own
vocabulary (models/clip-tokenizer). Writes tokens.json, prompts.json and text_emoji.safetensors into OUT.
With greater numbers and another seed the tests are a live comparison: NEGATIVA_GOLDEN=OUT test_text.
"""
import argparse
import json
import random
import re
import tempfile
from pathlib import Path

import torch
from compel import Compel, ReturnedEmbeddingsType
from compel.prompt_parser import Blend, CrossAttentionControlSubstitute, PromptParser
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

TEXTS = [
    "", " ", "wrong", "a photo of a cat", "a photo of an astronaut riding a horse on mars", "low quality, bad hands",
    "jpeg artifacts, missing or extra fingers", "(low quality)++++", "(human Super Mario)++", "don't 3.14 HELLO", "DON'T", "3.14",
    "na\u00efve caf\u00e9", "\u00e9", "e\u0301", "\u6771\u4eac", "\U0001f642", "...", ". . .", "++", "++++", "--", ")++", ")++,", "sks dog",
    "ohwx", '"quoted"', "\u0130stanbul \u1e9e", "a!b", "!", "!!", "<|endoftext|> inside", "<|startoftext|>x", "x\u00a0y\u2003z",
    "\u200bzero", "\x00a\x07b", "\uff11\uff12\uff13", "\ufb01", "\u201cq\u201d", "\U0001f600\U0001f3fd", "\u65e5\u672c\u8a9e", "\u0e44\u0e17\u0e22",
    "\u00c6r\u00f8sk\u00f8bing", "<|ENDOFTEXT|>'s", "a <|StartOfText|>b", "it's IT'LL we've i'm i'd they're", "''s", ".'s", "a!'s!",
    "\u03a3\u03b1\u03c2 \u03a3\u0391\u03a3", "a\u00b2\u00bd\u2167", "\u1680\u180e\u2028\u0085\x1c\x0b", "a\u0308\u0323o\u0328\u0301", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u01c5\u01c8",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "lalalalalalala ssssssssss mmmmmmm eeeeeee", "hot-dog_dog  \t\n tab",
]
ADDED = {"names": ["<s1>", "<s10>", "<Cat-Toy>", "ohwxyz", "Foo"],
         "texts": ["a<s10>b<s1>0", "a <cat-toy> b", "OHWXYZ", "xohwxyzx", "food <s2>", "x\u00a0<S1>", "<s1 0>", "FOO!"]}
ALPHABET = ["a", "cat", "Wrong", "photo", " ", "  ", "'s", "'LL", "3", "42", "!", "?", "++", "-", ",", "...", "(", ")", "\n", "\u00a0", "\u00e9",
            "e\u0301", "\u00df", "\u0130", "\u4e2d", "\U0001f600", "\u200d", "<|", "|>", "<|endoftext|>", "<|EndOfText|>", "_", "\u0660", "\u00bc", "\u0345", "\u1e9b\u0323", "~", "zz"]

PROMPTS = [
    "", " ", "a cat", "fire (flames (trees)1.5)2.0", "(pretty flowers)+, the flames are too hot", "(a text.)0.7. (a second text.)0.8",
    "a badly (formed +test )prompt", "(low quality)++++", "fire (flames, trees)+", "hot-dog", "C++ code", "em--dash", "word1.3", "(word)1.3",
    '"a cat"1.2 dog', '("a cat", "a dog")1.5', "(a (b)- c)++ d", "a \\(b\\) c", '\\"quoted\\" text', "(a \\) b)1.2", "(a).attend(1.4) b", "cat.attend(++)",
    "(a) .attend( 0.5 )", '("a", "b").blend(1,2)', '("a cat", "b (dog)+").blend(0.5,0.5,no_normalize)', '("a", "b").blend()', '("a (x)1.2", "b").and(1,0.5)',
    '("a", "b").and()', '("a", "b", c).add(1,1,2)', '("a", "b").and() trailing', '("a", "b").blend(1,1) trailing', '("a","b").blend(1)',
    "cat.swap(dog) x", "(a cat).swap(a dog, s_start=0.1)", "withLora(wrong, 0.5) cat", "cat useLora(x)", "(unbalanced", "unbalanced)", "((a)+", '"open quote',
    "a,b,,c", ",,", "...", "(...)+", "(a)5", "(a)-1.5", "(a)+1.5", "(a)1. b", "(a).5 b", "()", "()+", '""', '""1.5 x', "(a - b)+", "a - b", "a-(b)+", "x=1 (x=1)+",
    "(a\nb)1.1", "foo(bar)+", "(a)+b", "\"a \\\"b\\\" c\"1.3", "caf\u00e9+ \u6771\u4eac--", "(a b)+ (c)+ d",
]
PIECES = ["a", "cat", "red", "hot-dog", "(", ")", "(", ")", '"', "+", "++", "-", "--", "1.3", "0.5", ".7", "2", ",", ".", " ", " ", " ", "\\(", "\\)", '\\"',
          "\\", "=", ".attend(", ".attend(1.2)", ".swap(b)", "\n", "\u00e9", "\u00a0", "'s", ".blend(1,1)", ".and()", '"a"', '("b","c")', "withLora(x,1)"]

ENCODED = ["red apple on a blue background", "owl, (blurry)0.81", "a (big)1.5 lion, (watermark)0.5, (signature)0.1", "(pizza)0 next to volcano",
           "(low quality)++++", "a (b (cat)1.2 dog)0.9 !", "(red apple, " + "ugly " * 40 + ")0.5 (" + "owl " * 45 + ")1.2 (frog, blurry)0.7",
           "red apple (" + "ugly " * 90 + ")0.5", "(" + "ugly " * 90 + ")0.5"]
CONJUNCTION = '("a big lion", "owl (blurry)0.5").and(1, 0.6)'
BLEND = '("a big lion", "owl (blurry)1.5").blend(1, 3)'


def fuzz(pieces, count, rng, longest):
    return ["".join(rng.choice(pieces) for _ in range(rng.randint(1, longest))) for _ in range(count)]


def structured(count, rng):
    """Conjunctions and blends of random texts with random options."""
    def one():
        texts = ", ".join(rng.choice(['"{}"', "({})", '"{}"']).format(fuzz(PIECES[:30], 1, rng, 6)[0]) for _ in range(rng.randint(1, 3)))
        options = ", ".join(rng.choice(["1", "0.5", "2.", ".3", "-1", "no_normalize", "x=1"][:5 if rng.random() < 0.9 else 7])
                            for _ in range(rng.choice([0, texts.count(", ") + 1, 2])))
        tail = ", no_normalize" if options and rng.random() < 0.3 else ""
        return f"({texts}){rng.choice(['.and', '.add', '.blend'])}({options}{tail}){rng.choice(['', '', ' more'])}"
    return [one() for _ in range(count)]


def with_vocabulary(folder):
    """The folder as transformers reads it; vocab.json is made where only merges.txt is there."""
    if (folder / "vocab.json").exists():
        return CLIPTokenizer.from_pretrained(folder)
    merges = (folder / "merges.txt").read_text().splitlines()[1:]
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = [chr(b) for b in own] + [chr(256 + n) for n in range(256 - len(own))]
    pieces = characters + [c + "</w>" for c in characters] + [m.replace(" ", "") for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("merges.txt", "special_tokens_map.json", "tokenizer_config.json"):
            (Path(temporary) / name).write_bytes((folder / name).read_bytes())
        (Path(temporary) / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
        return CLIPTokenizer.from_pretrained(temporary)


def tokens(model, clip, count, seed):
    rng = random.Random(seed)
    words = ["".join(rng.choice("etaoinshrdlu") for _ in range(rng.randint(1, 14))) for _ in range(count)]
    texts = TEXTS + fuzz(ALPHABET, count // 2, rng, 12) + [" ".join(words[i:i + 4]) for i in range(0, len(words), 4)]
    result = {"texts": texts, "added_names": ADDED["names"], "added_texts": ADDED["texts"], "ids": {}, "added_ids": {}}
    for name, root in (("emoji-xl", model), ("clip-tokenizer", clip)):
        for part in ("tokenizer", "tokenizer_2"):
            tokenizer = with_vocabulary(root / part)
            result["ids"][f"{name}/{part}"] = [tokenizer.encode(t, add_special_tokens=False) for t in texts]
            tokenizer.add_tokens(ADDED["names"])
            result["added_ids"][f"{name}/{part}"] = [tokenizer.encode(t, add_special_tokens=False) for t in ADDED["texts"]]
    return result


def parsed(prompt):
    def fragments(flat):
        return [[f.text, f.weight] for f in flat.children]

    entry = {"prompt": prompt}
    try:
        conjunction = PromptParser().parse_conjunction(prompt)
        parts = []
        for part, weight in zip(conjunction.prompts, conjunction.weights):
            texts = part.prompts if isinstance(part, Blend) else [part]
            if conjunction.lora_weights or any(isinstance(f, CrossAttentionControlSubstitute) for t in texts for f in t.children):
                return entry | {"error": True}
            parts.append({"texts": [fragments(t) for t in texts], "weight": weight})
            if isinstance(part, Blend):
                if part.normalize_weights and sum(part.weights) == 0:
                    return entry | {"error": True}  # NaN in Compel
                parts[-1] |= {"blend_weights": part.weights, "normalize_blend": part.normalize_weights}
        if conjunction.lora_weights:
            return entry | {"error": True}
        return entry | {"parts": parts or [{"texts": [[["", 1.0]]], "weight": 1.0}]}
    except Exception:  # whatever Compel cannot do
        return entry | {"error": True}


def prompts(count, seed):
    rng = random.Random(seed)
    more = max(0, count - len(PROMPTS))
    texts = PROMPTS + fuzz(PIECES, more - more // 3, rng, 14) + structured(more // 3, rng)
    # pyparsing turns a backslash with a digit into a control character inside quotes; here it stays as typed.
    return [parsed(t) for t in texts if not re.search(r"\\[0-7xu]", t)]


@torch.no_grad()
def encoded(model):
    first = (CLIPTokenizer.from_pretrained(model / "tokenizer"), CLIPTextModel.from_pretrained(model / "text_encoder", dtype=torch.float32))
    second = (CLIPTokenizer.from_pretrained(model / "tokenizer_2"),
              CLIPTextModelWithProjection.from_pretrained(model / "text_encoder_2", dtype=torch.float32))
    result, metadata = {}, {}
    for name, (tokenizer, encoder) in (("1", first), ("2", second)):
        encoder.eval()
        compel = Compel(tokenizer, encoder, returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED)
        for i, prompt in enumerate([*ENCODED, CONJUNCTION, BLEND]):
            metadata[f"prompt.{i}"] = prompt
            result[f"compel.{i}.{name}"] = compel(prompt)
            if i not in (0, 4):
                continue  # plain outputs of a few prompts are enough
            ids = tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
            out = encoder(ids, output_hidden_states=True)
            result[f"plain.{i}.{name}"] = out.hidden_states[-2]
            result[f"last.{i}.{name}"] = out.last_hidden_state
            if name == "2":
                result[f"pooled.{i}"] = out.text_embeds
    return {k: v.contiguous().clone() for k, v in result.items()}, metadata


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clip-tokenizer", type=Path, default=Path(__file__).parent.parent / "models" / "clip-tokenizer")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=90)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    dump = lambda value: json.dumps(value, separators=(",", ":")) + "\n"
    (options.out / "tokens.json").write_text(dump(tokens(options.model, options.clip_tokenizer, options.texts, options.seed)))
    (options.out / "prompts.json").write_text(dump(prompts(options.prompts, options.seed)))
    tensors, metadata = encoded(options.model)
    save_file(tensors, options.out / "text_emoji.safetensors", metadata=metadata)
    (options.out / "text_emoji.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
