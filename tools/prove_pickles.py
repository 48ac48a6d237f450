"""The part of prove.py about what torch.save wrote: LoRAs, embeddings and a model's weights as .bin, .pt and .ckpt, opened here and by
diffusers, and the other forms of embeddings."""
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

import prove_loras
import prove_program
from prove_table import PICTURE_LIMIT, picture_distance, relative
from reference_pipeline import Case, Lora

LATENTS_LIMIT = 1e-3
EMBEDS_LIMIT = 1e-5
MOVED = 0.1  # a LoRA that moves the latents by less would prove little
CASE = Case("", "robot on a red background", "wrong", steps=20, seed=700)
WORDS = Case("", "sonk on a blue background", "sonk, blurry", steps=1, seed=701, schedule="trailing")


def rows(program, model, reference, folder):
    """(case, what is compared, measured, limit, note) of every check."""
    proof = Proof(program, model, reference, folder)
    for checks in (proof.article(), proof.article_at_full_size(), proof.loras(), proof.model_folder(), proof.embeddings()):
        for case, what, measured, limit, *note in checks:
            yield f"pickle, {case}", what, measured, limit, note[0] if note else ""


class Proof:
    def __init__(self, program, model, reference, folder):
        self.program, self.model, self.reference, self.folder = program, model, reference, os.path.join(folder, "pickles")
        os.makedirs(self.folder, exist_ok=True)

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def run(self, case, model=None):
        return prove_program.run(self.program, model or self.model, case, self.folder)

    def article(self):
        """minimaxir/sdxl-wrong-lora at the miniature's widths: pytorch_lora_weights.bin, rank 4, fp32, attention of the UNet alone, the
        keys of mid-2023."""
        made = prove_loras.diffusers_lora(self.reference, self.path("made.safetensors"), seed=71, strength=0.4)
        tensors = {key: tensor.contiguous() for key, tensor in prove_loras.keys_of_2023(prove_loras.unet_modules(made)).items()}
        assert all(tensor.dtype == torch.float32 and 4 in tensor.shape for tensor in tensors.values())
        file = self.path("wrong", "pytorch_lora_weights.bin")
        torch.save(tensors, file)
        name = "the article's LoRA (pytorch_lora_weights.bin)"
        plain = self.reference.run(CASE)
        for side, case in (("both branches", dataclasses.replace(CASE, loras=(Lora(file),))),
                           ("negative branch alone", dataclasses.replace(CASE, loras=(Lora(file, 1.0, "negative"),)))):
            expected, got = self.reference.run(case), self.run(case)
            yield f"{name}, {side}", "latents", relative(got["latents"], expected["latents"]), LATENTS_LIMIT
            yield f"{name}, {side}", "picture", picture_distance(got["image"], expected["image"]), PICTURE_LIMIT
            moved = relative(expected["latents"], plain["latents"])
            yield f"{name}, {side}", "0.1 / how far it moves the latents", MOVED / moved, 1.0, f"moved by {moved:.2f}"
        out = self.path("converted.safetensors")
        subprocess.run([self.program, "lora", "convert", file, "-m", self.model, "-o", out, "--format", "diffusers", "-q"], check=True,
                       capture_output=True)
        case = dataclasses.replace(CASE, loras=(Lora(out),))
        expected = self.reference.run(dataclasses.replace(CASE, loras=(Lora(file),)))
        yield name, "latents of diffusers with what lora convert wrote", relative(self.reference.run(case)["latents"], expected["latents"]), LATENTS_LIMIT

    def article_at_full_size(self):
        """The same for SDXL itself: 560 layers' two matrices each, all of which are to find their place."""
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        layers = os.path.join(root, "models", "sdxl-layers")
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(os.path.join(layers, "unet")))
        modules = {name: (torch.zeros(4, module.in_features), torch.zeros(module.out_features, 4)) for name, module in unet.named_modules()
                   if isinstance(module, torch.nn.Linear) and any(name.endswith("." + target) for target in prove_loras.ATTENTION)}
        file = self.path("full", "pytorch_lora_weights.bin")
        torch.save(prove_loras.keys_of_2023(modules), file)
        done = subprocess.run([self.program, "lora", "inspect", file, "-m", layers, "--json"], capture_output=True, text=True)
        if done.returncode != 0:
            raise prove_program.ProgramFailed(done.stderr.strip())
        part = json.loads(done.stdout)["parts"]["unet"]
        name = "the article's LoRA at full size"
        yield name, "keys that do not match, of 1120", abs(part["matched"] - 1120) + part["unmatched"] + part["misshapen"], 0, f"{part['matched']} match"

    def loras(self):
        made = prove_loras.diffusers_lora(self.reference, self.path("made.safetensors"), seed=71, strength=0.4)
        dialects = prove_loras.write_dialects(made, self.reference)
        forms = {
            "kohya in a legacy archive": ("kohya", ".pt", dict(_use_new_zipfile_serialization=False), lambda tensors: tensors),
            "peft under state_dict": ("peft", ".ckpt", {}, lambda tensors: {"state_dict": tensors, "global_step": 500}),
            "diffusers as Parameters": ("diffusers lora_A", ".pth", {}, lambda tensors: {k: torch.nn.Parameter(t) for k, t in tensors.items()}),
        }
        expected = self.reference.run(dataclasses.replace(CASE, loras=(Lora(made),)))["latents"]
        for form, (dialect, extension, options, wrap) in forms.items():
            file = self.path(form.replace(" ", "_") + extension)
            torch.save(wrap(load_file(dialects[dialect])), file, **options)
            got = self.run(dataclasses.replace(CASE, loras=(Lora(made, given=file),)))["latents"]
            yield f"LoRA, {form}", "latents", relative(got, expected), LATENTS_LIMIT

    def model_folder(self):
        """The UNet, VAE and encoders as diffusers wrote them before safetensors."""
        expected = self.reference.run(CASE)
        folder = self.path("model")
        shutil.copytree(self.model, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("refiner", "judge"))
        for part, old, new in (("unet", "diffusion_pytorch_model", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model", "diffusion_pytorch_model"),
                               ("text_encoder", "model", "pytorch_model"), ("text_encoder_2", "model", "pytorch_model")):
            file = self.path("model", part, old + ".safetensors")
            torch.save(load_file(file), self.path("model", part, new + ".bin"))
            os.remove(file)
        got = self.run(CASE, folder)
        yield "model folder of .bin", "latents", relative(got["latents"], expected["latents"]), LATENTS_LIMIT
        yield "model folder of .bin", "picture", picture_distance(got["image"], expected["image"]), PICTURE_LIMIT

    def embeddings(self):
        for name, given, prompt, loads, options in self.embedding_forms():
            case = dataclasses.replace(WORDS, prompt=f"{prompt} on a blue background", negative_prompt=f"{prompt}, blurry", embedding=given)
            with self.own_pipeline() as pipe:
                for vectors, token, part in loads:
                    pipe.load_textual_inversion(vectors, token=token, tokenizer=getattr(pipe, "tokenizer" + part),
                                                text_encoder=getattr(pipe, "text_encoder" + part))
                if options:  # transformers takes the end of the text by its id, where that id is not the old 2
                    for holder in (pipe.text_encoder_2.config, pipe.text_encoder_2.text_model):
                        holder.eos_token_id = pipe.tokenizer_2.eos_token_id
                with torch.no_grad():
                    embeds, negative, pooled, negative_pooled = pipe.encode_prompt(case.prompt, device="cpu", negative_prompt=case.negative_prompt)
            got = self.drawn(case, options)
            for what, expected in (("prompt_embeds", embeds), ("negative_prompt_embeds", negative), ("pooled_prompt_embeds", pooled),
                                   ("negative_pooled_prompt_embeds", negative_pooled)):
                yield f"embedding, {name}", what, relative(got[what], expected), EMBEDS_LIMIT

    def drawn(self, case, options):
        saved = self.path("words.safetensors")
        done = subprocess.run([self.program, "generate", "-m", self.model, *prove_program.arguments(self.model, case), *options, "-o",
                               self.path("words.png"), "--save-tensors", saved], capture_output=True, text=True)
        if done.returncode != 0:
            raise prove_program.ProgramFailed(done.stderr.strip())
        return load_file(saved)

    @contextlib.contextmanager
    def own_pipeline(self):
        pipe = StableDiffusionXLPipeline.from_pretrained(self.model, dtype=torch.float32)
        pipe.set_progress_bar_config(disable=True)
        yield pipe

    def embedding_forms(self):
        """(name, what negativa is given, word, what diffusers loads: (vectors or file, token, which encoder), options)."""
        both = load_file(prove_loras.embedding(self.reference, self.path("both.safetensors"), seed=72))
        l, g = both["clip_l"], both["clip_g"]
        pair = [(l, "sonk", ""), (g, "sonk", "_2")]
        for extension in ("safetensors", "bin"):
            for file, vectors in (("learned_embeds", l), ("learned_embeds_2", g)):
                path = self.path("pair_" + extension, f"{file}.{extension}")
                save_file({"<sonk>": vectors}, path) if extension == "safetensors" else torch.save({"<sonk>": vectors}, path)
            yield (f"pair of .{extension}", self.path("pair_" + extension, f"learned_embeds.{extension}"), "<sonk>",
                   [(v, "<sonk>", p) for v, _, p in pair], [])
        yield "pair in a folder", self.path("pair_bin"), "<sonk>", [(v, "<sonk>", p) for v, _, p in pair], []
        old = self.path("old.pt")
        torch.save({"string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": l}), "name": "sonk", "step": 500}, old)
        yield "string_to_param of the first encoder", old, "sonk", [(l, "sonk", "")], []
        params = self.path("params.pt")
        torch.save({"emb_params": l}, params)
        yield "emb_params of the first encoder", f"{params}=sonk", "sonk", [(l, "sonk", "")], []
        pivotal = self.path("pivotal.safetensors")
        save_file({"text_encoders_0": l, "text_encoders_1": g}, pivotal)
        singles = [(vectors[i], f"<s{i}>", part) for part, vectors in (("", l), ("_2", g)) for i in range(2)]
        yield "pivotal, <s0><s1>", pivotal, "<s0><s1>", singles, []
        yield "pivotal, <s1> alone", pivotal, "<s1>", singles, []
        several = self.path("several.safetensors")
        save_file({"<one>": l[0], "<two>": l[1]}, several)
        yield "several words in a file", several, "<two> next to <one>", [(l[0], "<one>", ""), (l[1], "<two>", "")], []
        yield "pooled at the end of the text", self.path("both.safetensors"), "both", [(l, "both", ""), (g, "both", "_2")], ["--pooled-row", "end"]
