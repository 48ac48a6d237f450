"""Times the program against diffusers on this CPU: interleaved pairs in one run, the ratio of each pair, median and interval.

    bench.py [--program build/release/negativa] [--model models/emoji-xl] [--pairs 7] [--full-size FOLDER] [--only TEXT]

--full-size: an SDXL folder (tools/make_full_size.py makes one with random weights); times a guided UNet step, decoding and an optimiser step at 512x512 in fp32.
A ratio above 1: the program is faster. Absolute times of a shared machine mean little.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_studio

PROMPT = "red apple on a blue background"

ONE_PICTURE = """
import sys, torch
from diffusers import StableDiffusionXLPipeline
pipeline = StableDiffusionXLPipeline.from_pretrained(sys.argv[1], torch_dtype=torch.float32)
pipeline.set_progress_bar_config(disable=True)
pipeline(sys.argv[2], num_inference_steps=50, guidance_scale=5.0, generator=torch.Generator().manual_seed(0)).images[0].save(sys.argv[3])
"""

UNET_STEP = """
import sys, time, torch
from diffusers import UNet2DConditionModel
unet = UNet2DConditionModel.from_pretrained(sys.argv[1] + "/unet", torch_dtype=torch.float32)
x, context, pooled = torch.randn(2, 4, 64, 64), torch.randn(2, 77, unet.config.cross_attention_dim), torch.randn(2, 1280)
ids = torch.full((2, (unet.config.projection_class_embeddings_input_dim - 1280) // unet.config.addition_time_embed_dim), 512.0)
print("ready", flush=True)
with torch.inference_mode():
    for _ in sys.stdin:
        begin = time.perf_counter()
        unet(x, 500.0, context, added_cond_kwargs={"text_embeds": pooled, "time_ids": ids}).sample
        print(time.perf_counter() - begin, flush=True)
"""

DECODE = """
import sys, time, torch
from diffusers import AutoencoderKL
vae = AutoencoderKL.from_pretrained(sys.argv[1] + "/vae", torch_dtype=torch.float32)
latents = torch.randn(1, vae.config.latent_channels, 64, 64)
print("ready", flush=True)
with torch.inference_mode():
    for _ in sys.stdin:
        begin = time.perf_counter()
        vae.decode(latents)
        print(time.perf_counter() - begin, flush=True)
"""

TRAIN_STEP = """
import sys, time, torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from peft import LoraConfig
torch.manual_seed(0)
unet = UNet2DConditionModel.from_pretrained(sys.argv[1] + "/unet", torch_dtype=torch.float32).requires_grad_(False).train()
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian", target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
parameters = [p for p in unet.parameters() if p.requires_grad]
optimizer, schedule = torch.optim.AdamW(parameters, lr=1e-4), DDPMScheduler.from_pretrained(sys.argv[1], subfolder="scheduler")
batch, steps = int(sys.argv[2]), int(sys.argv[4])
side, width = int(sys.argv[3]) or unet.config.sample_size, unet.config.cross_attention_dim
if sys.argv[5] == "checkpointing":
    unet.enable_gradient_checkpointing()
pooled = unet.config.projection_class_embeddings_input_dim - 6 * unet.config.addition_time_embed_dim
latents, context = torch.randn(batch, 4, side, side), torch.randn(batch, 77, width)
cond = {"text_embeds": torch.randn(batch, pooled), "time_ids": torch.full((batch, 6), 8.0 * side)}
def step():
    noise, timesteps = torch.randn_like(latents), torch.randint(1000, (batch,))
    loss = torch.nn.functional.mse_loss(unet(schedule.add_noise(latents, noise, timesteps), timesteps, context, added_cond_kwargs=cond).sample, noise)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad()
step()
print("ready", flush=True)
for threads in sys.stdin:
    torch.set_num_threads(int(threads))
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    print((time.perf_counter() - begin) / steps, flush=True)
"""


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        sys.exit(f"{command[0]} failed: {result.stderr[-500:]}")
    return result.stdout


def seconds_of(command):
    begin = time.perf_counter()
    run(command)
    return time.perf_counter() - begin


def report(name, pairs, unit="s", names=("diffusers", "negativa")):
    """pairs: (theirs, ours). The interval is that of the middle of the sorted ratios that holds the median with 95 % (order statistics)."""
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    n = len(ratios)
    cut = {7: 0, 8: 0, 9: 1, 10: 1, 11: 1, 12: 2, 13: 2, 14: 2, 15: 3}.get(n, 0)
    median = statistics.median
    print(f"{name}\n  {names[0]} {median(t for t, _ in pairs):.4f} {unit}, {names[1]} {median(o for _, o in pairs):.4f} {unit}; "
          f"ratio {median(ratios):.2f} [{ratios[cut]:.2f}, {ratios[-1 - cut]:.2f}], {n} pairs", flush=True)


def picture_process(args, folder):
    """A 50-step picture as a whole process, start to PNG."""
    out = str(folder / "picture.png")
    theirs = [sys.executable, "-c", ONE_PICTURE, args.model, PROMPT, out]
    ours = [args.program, "generate", "-q", "-m", args.model, "-p", PROMPT, "-s", "0", "--cfg-scale", "5", "-o", out]
    report("one 50-step picture, whole process", [(seconds_of(theirs), seconds_of(ours)) for _ in range(args.pairs)])


def many_pictures(args, folder):
    """24 pictures: diffusers in steady state at the batch that suits it best, negativa as a whole process."""
    import torch
    from diffusers import StableDiffusionXLPipeline
    pipeline = StableDiffusionXLPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    def theirs(batch):
        begin = time.perf_counter()
        for first in range(0, 24, batch):
            generators = [torch.Generator().manual_seed(first + i) for i in range(batch)]
            pipeline([PROMPT] * batch, num_inference_steps=50, guidance_scale=5.0, generator=generators)
        return time.perf_counter() - begin

    pipeline(PROMPT, num_inference_steps=5)
    best = min((4, 8, 12, 24), key=theirs)
    ours = [args.program, "generate", "-q", "-m", args.model, "-p", PROMPT, "-s", "0", "--cfg-scale", "5", "--batch-count", "24", "-o", f"{folder}/set/"]
    report(f"24 pictures, diffusers at batch {best}", [(theirs(best), seconds_of(ours)) for _ in range(args.pairs)])
    peak = json.loads(run(ours + ["--json"]))["peak_memory_bytes"]
    print(f"  peak memory of negativa {peak / 2**20:.0f} MiB")


def train_step(args, folder):
    """An optimiser step of the miniature: batch 4, rank 4, latents and embeddings at hand on both sides. Theirs is the mean of ten steps with the number of
    threads that suits it best, ours the median step of a whole run."""
    theirs = Stepper([sys.executable, "-c", TRAIN_STEP, args.model, "4", "0", "10", ""])
    pictures = str(Path(__file__).parent.parent / "models/sonk-hedgehog/train")

    def ours(pair):
        return json.loads(run([args.program, "train", "lora", "-q", "--json", "-m", args.model, "--data", pictures, "--prompt", "sonk", "--batch-size", "4",
                               "--steps", "20", "-o", f"{folder}/{pair}.safetensors"]))["step_seconds"]

    cores = len(os.sched_getaffinity(0))
    theirs.step(cores), ours("first")
    rounds = [{count: theirs.step(count) for count in {1, max(1, cores // 2), cores}} for _ in range(7)]
    threads = min(rounds[0], key=lambda count: statistics.median(tried[count] for tried in rounds))
    report(f"an optimiser step of the miniature, batch 4, diffusers on {threads} threads", [(theirs.step(threads), ours(pair)) for pair in range(args.pairs)])


class Stepper:
    """A process with a UNet in memory that runs a step for each line it reads."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while self.process.stdout.readline().strip() != "ready":
            if self.process.poll() is not None:
                sys.exit(f"{command[0]} failed")

    def step(self, line=""):
        print(line, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def peak_bytes(self):
        lines = open(f"/proc/{self.process.pid}/status").read().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def branch_loras(args, folder):
    """A guided step with other weights on each branch (Diffusion-NPO), both by negativa's own UNet on one thread: one UNet with a LoRA on each branch against
    two UNets with the LoRAs baked in, each on its row. Of the miniature; says nothing of diffusers."""
    lora = str(Path(__file__).parent.parent / "models/wrong-lora/wrong.safetensors")
    for name, weight in (("positive", "1"), ("negative", "0.6")):
        run([args.program, "lora", "bake", "-q", "-m", args.model, "--lora", f"{lora}:{weight}", "-o", f"{folder}/{name}"])
    bench = os.path.join(os.path.dirname(args.program), "negativa_bench_branches")
    one = Stepper([bench, "one", args.model, lora, lora])
    two = Stepper([bench, "two", f"{folder}/positive", f"{folder}/negative"])
    for _ in range(10):
        one.step(), two.step()
    pairs = [tuple(statistics.median(way.step() for _ in range(20)) for way in (two, one)) for _ in range(args.pairs)]
    report("a guided step with other weights on each branch", pairs, names=("two UNets", "one UNet with LoRAs"))
    print(f"  peak memory: two UNets {two.peak_bytes() / 2**20:.0f} MiB, one with LoRAs {one.peak_bytes() / 2**20:.0f} MiB")


def adapters(args, folder):
    """The median step of a 50-step picture with an adapter of rank 16 on attention and convolutions of all parts, against plain; both by negativa."""
    import types

    import prove_adapters
    from diffusers import StableDiffusionXLPipeline

    pipeline = StableDiffusionXLPipeline.from_pretrained(args.model)
    made_of = types.SimpleNamespace(reference=types.SimpleNamespace(base=pipeline))

    def step(*more):
        ran = run([args.program, "generate", "-q", "--json", "-m", args.model, "-p", PROMPT, "-s", "0", "-o", str(folder / "adapter.png"), *more])
        return json.loads(ran)["step_seconds"]

    for name in ("LoCon", "LoHa", "LoKr", "DoRA"):
        kind, options, ends = prove_adapters.LYCORIS[name]
        modules = prove_adapters.Proof.modules(made_of, kind, {**options, "lora_dim": 16}, ends)
        file = str(folder / "adapter.safetensors")
        with prove_adapters.torch.no_grad():
            prove_adapters.write({layer: prove_adapters.pieces_of(module) for layer, module in modules.items()}, prove_adapters.kohya_stem, file)
        report(f"a step with {name}", [(step("--lora", file), step()) for _ in range(args.pairs)], names=(name, "plain"))


def second_request(args, folder):
    """From a request to the end of its first step of two: a fresh process against an engine that is open."""
    command = [os.path.join(os.path.dirname(args.program), "negativa_bench_requests"), args.model, f"{folder}/request.png"]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def step(process):
        print(file=process.stdin, flush=True)
        return float(process.stdout.readline())

    def fresh():
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        step(process)
        seconds = time.perf_counter() - begin  # the second step and the file come on top: some hundredths of a second
        process.stdin.close()
        process.wait()
        return seconds

    step(engine)
    report("first step of a request", [(fresh(), step(engine)) for _ in range(args.pairs)], names=("fresh process", "open engine"))
    engine.stdin.close()
    engine.wait()


def full_size_step(args, folder):
    """A guided step (batch 2) of the full-size UNet at 512x512 in fp32, turn by turn; both hold their weights, some 22 GB together. Where memory has no room
    for both, each starts anew every time, and its second step counts."""
    ours = [os.path.join(os.path.dirname(args.program), "negativa_bench_unet"), args.full_size, str(os.cpu_count())]
    theirs = [sys.executable, "-c", UNET_STEP, args.full_size]
    memory = dict(line.split(":") for line in open("/proc/meminfo"))
    has_room = int(memory["MemAvailable"].split()[0]) > 26 << 20
    held = {command[0]: Stepper(command) for command in (ours, theirs)} if has_room else {}
    peaks, pairs, rates = {}, [], []

    def step(command):
        process = held.get(command[0]) or Stepper(command)
        if not has_room or command[0] not in peaks:
            process.step()
        seconds = process.step()
        peaks[command[0]] = process.peak_bytes() / 2**30
        if not has_room:
            process.end()
        return seconds

    for _ in range(args.pairs):
        pairs.append((step(theirs), step(ours)))
        rates.append(matrix_product_rate())
        print(f"  {pairs[-1][0]:.1f} s, {pairs[-1][1]:.1f} s", flush=True)
    report("full-size UNet step, 512x512, fp32", pairs)
    flop = 2 * 1.5888e12  # of two evaluations of the base UNet at this size
    rate = flop / statistics.median(ours for _, ours in pairs)
    print(f"  peak memory: diffusers {peaks[theirs[0]]:.2f} GiB, negativa {peaks[ours[0]]:.2f} GiB; "
          f"{rate / 1e9:.0f} GFLOP/s, {rate / statistics.median(rates):.2f} of the measured matrix product")
    for process in held.values():
        process.end()


def full_size_decode(args, folder):
    """Decoding a picture of 512x512 with the full-size VAE in fp32, turn by turn."""
    ours = Stepper([os.path.join(os.path.dirname(args.program), "negativa_bench_decode"), args.full_size + "/vae", str(os.cpu_count())])
    theirs = Stepper([sys.executable, "-c", DECODE, args.full_size])
    theirs.step(), ours.step()
    report("full-size VAE decode, 512x512, fp32", [(theirs.step(), ours.step()) for _ in range(args.pairs)])
    print(f"  peak memory: diffusers {theirs.peak_bytes() / 2**30:.2f} GiB, negativa {ours.peak_bytes() / 2**30:.2f} GiB")
    ours.end(), theirs.end()


def full_size_adapters(args, folder):
    """The same step with an adapter of rank 16 on every attention, feed-forward and convolution (DoRA: not the convolutions), against plain, in one process."""
    import adapter_files  # beside this file

    files = adapter_files.write_all(args.full_size, folder)
    ours = Stepper([os.path.join(os.path.dirname(args.program), "negativa_bench_unet"), args.full_size, str(os.cpu_count()), *files.values()])
    lines = {"": "plain", **{str(number): name for number, name in enumerate(files, 1)}}
    for line in lines:
        ours.step(line)  # the first step with an adapter makes what later ones find
    rounds = [{name: ours.step(line) for line, name in lines.items()} for _ in range(args.pairs)]
    for name in files:
        report(f"full-size UNet step with {name}", [(seconds[name], seconds["plain"]) for seconds in rounds], names=(name, "plain"))
    print(f"  peak memory: {ours.peak_bytes() / 2**30:.2f} GiB, each adapter's kept weights included")
    ours.end()


def full_size_train_step(args, folder):
    """An optimiser step of full size at 512x512 in fp32, gradient checkpointing on both sides: theirs, ours, and ours at rank 64, in turn. Memory has room for
    one of them, so each starts anew every time; its time is the median of its second and third step, of ours of the first too."""
    pictures, cores = str(Path(__file__).parent.parent / "models/sonk-hedgehog/train"), len(os.sched_getaffinity(0))
    peaks = {}

    def theirs():
        process = Stepper([sys.executable, "-c", TRAIN_STEP, args.full_size, "1", "64", "1", "checkpointing"])
        seconds = statistics.median(process.step(cores) for _ in range(2))
        peaks["diffusers"] = process.peak_bytes()
        process.end()
        return seconds

    def ours(rank):
        result = json.loads(run([args.program, "train", "lora", "-q", "--json", "-m", args.full_size, "--data", pictures, "--prompt", "sonk", "--resolution", "512",
                                 "--weights-dtype", "fp32", "--gradient-checkpointing", "--steps", "3", "--rank", str(rank), "--resume", "never", "-o", f"{folder}/full.safetensors"]))
        peaks[f"rank {rank}"] = result["peak_memory_bytes"]
        return result["step_seconds"]

    rounds = []
    for _ in range(args.pairs):
        rounds.append((theirs(), ours(4), ours(64)))
        print("  " + ", ".join(f"{seconds:.1f} s" for seconds in rounds[-1]), flush=True)
    report("full-size optimiser step, 512x512, fp32, gradient checkpointing", [(diffusers, rank_4) for diffusers, rank_4, _ in rounds])
    report("the same, rank 64 against rank 4", [(rank_64, rank_4) for _, rank_4, rank_64 in rounds], names=("rank 64", "rank 4"))
    print("  peak memory: " + ", ".join(f"{name} {peak / 2**30:.2f} GiB" for name, peak in peaks.items()), flush=True)


def matrix_product_rate():
    import torch
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    torch.mm(a, b)
    begin = time.perf_counter()
    for _ in range(5):
        torch.mm(a, b)
    return 5 * 2 * 2048**3 / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/negativa")
    parser.add_argument("--model", default="models/emoji-xl")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--full-size")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{cpu}, {os.cpu_count()} cores; matrix product {matrix_product_rate() / 1e9:.0f} GFLOP/s")
    benches = [picture_process, many_pictures, train_step, branch_loras, adapters, second_request, *bench_studio.BENCHES]
    benches += [full_size_step, full_size_decode, full_size_adapters, full_size_train_step] if args.full_size else []
    with tempfile.TemporaryDirectory() as folder:
        for bench in benches:
            if args.only in bench.__name__:
                bench(args, Path(folder))


if __name__ == "__main__":
    main()
