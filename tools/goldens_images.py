"""Goldens of tests/base (resizing, EXIF) and tests/train (the square a picture is trained on), from Pillow and torchvision.

  python tools/goldens_images.py        writes into tests/golden/
"""

import pathlib

import numpy
import torch
from PIL import Image, ImageOps
from safetensors.torch import save_file
from torchvision import transforms

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
# Smaller, larger, both at once, one axis only, a single pixel; of the last three the first just not, the others begin with the height.
# tests/base/resize_test.cpp has the same list.
SIZES = [(31, 23), (100, 77), (9, 90), (61, 20), (17, 47), (1, 1), (50, 25), (51, 25), (70, 40)]
ORIENTATION = 0x0112
RESOLUTION = 32


def picture(width, height, seed):
    """Ramps, hard edges and noise: filters overshoot at edges and must saturate."""
    noise = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    rgb = numpy.stack([x * 255 / width, y * 255 / height, (x // 5 + y // 7) % 2 * 255], -1)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = noise.integers(0, 256, rgb[height // 3 : height // 2, width // 4 : width // 2].shape)
    return Image.fromarray(rgb.astype(numpy.uint8))


def write_resize():
    """Per filter the results of all sizes below each other."""
    source = picture(61, 47, 0)
    source.save(GOLDEN / "resize_source.png")
    for name, filter in FILTERS.items():
        column = Image.new("RGB", (max(w for w, h in SIZES), sum(h for w, h in SIZES)), "white")
        top = 0
        for size in SIZES:
            column.paste(source.resize(size, filter), (0, top))
            top += size[1]
        column.save(GOLDEN / f"resize_{name}.png")


def stored(upright, orientation):
    """What a camera stores so that a reader of its orientation sees `upright`: the inverse of what Pillow does on reading."""
    undo = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE, 6: Image.ROTATE_90,
            7: Image.TRANSVERSE, 8: Image.ROTATE_270}
    return upright.transpose(undo[orientation]) if orientation in undo else upright


def exif_of(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def write_exif():
    upright = picture(24, 16, 1)
    upright.save(GOLDEN / "exif_upright.png")
    for orientation in range(1, 9):
        for extension, options in (("png", {}), ("jpg", dict(quality=97, subsampling=0))):
            path = GOLDEN / f"exif_{orientation}.{extension}"
            stored(upright, orientation).save(path, exif=exif_of(orientation), **options)
            seen = numpy.asarray(ImageOps.exif_transpose(Image.open(path)), int)
            assert seen.shape == (16, 24, 3) and abs(seen - numpy.asarray(upright, int)).mean() < (1 if extension == "png" else 12), path


def trained_square(path, flip):
    """DreamBoothDataset of examples/dreambooth/train_dreambooth_lora_sdxl.py, with --center_crop and lanczos; alpha over white."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "RGBA":
        rgba = numpy.asarray(image).astype(int)
        alpha = rgba[..., 3:]
        image = Image.fromarray(((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(numpy.uint8))
    image = image.convert("RGB")
    original = (image.height, image.width)
    image = transforms.Resize(RESOLUTION, interpolation=transforms.InterpolationMode.LANCZOS)(image)
    if flip:
        image = transforms.RandomHorizontalFlip(p=1.0)(image)
    y1 = max(0, int(round((image.height - RESOLUTION) / 2.0)))
    x1 = max(0, int(round((image.width - RESOLUTION) / 2.0)))
    image = transforms.CenterCrop(RESOLUTION)(image)
    pixels = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])(image)
    return pixels[None], torch.tensor([*original, y1, x1, RESOLUTION, RESOLUTION], dtype=torch.float32)


def write_dataset():
    """Names tell why each is there; sizes at which torchvision's cut and Python's rounding of halves matter."""
    folder = GOLDEN / "dataset"
    folder.mkdir(exist_ok=True)
    picture(40, 61, 2).save(folder / "tall.png")  # 32x48: crop at 8
    picture(90, 53, 3).save(folder / "wide_odd.PNG")  # 54x32, from 54.3
    picture(37, 38, 4).save(folder / "half_down.png")  # 32x32, from 32.9
    picture(32, 37, 5).save(folder / "half_even.png")  # 32x37: 2.5 is rounded to 2
    picture(39, 32, 6).save(folder / "half_up.png")  # 39x32: 3.5 is rounded to 4
    picture(20, 14, 7).save(folder / "small.png")  # enlarged
    picture(40, 130, 10).save(folder / "very_tall.png")  # Pillow begins with the height
    stored(picture(40, 60, 8), 6).save(folder / "turned.jpg", exif=exif_of(6), quality=95)
    rgba = numpy.dstack([numpy.asarray(picture(48, 40, 9)), numpy.mgrid[0:40, 0:48][1] * 5]).astype(numpy.uint8)
    Image.fromarray(rgba).save(folder / "alpha.png")
    tensors = {}
    for path in sorted(folder.iterdir()):
        pixels, tensors[f"{path.name}.time_ids"] = trained_square(path, flip=False)
        tensors[f"{path.name}.square"] = bytes_of(pixels)
        tensors[f"{path.name}.mirrored"] = bytes_of(trained_square(path, flip=True)[0])
    tensors["tall.png.pixels"] = trained_square(folder / "tall.png", flip=False)[0]
    save_file(tensors, GOLDEN / "dataset.safetensors")


def bytes_of(pixels):
    """A quarter of the size, and exact."""
    return ((pixels + 1) / 2 * 255).round().to(torch.uint8)


if __name__ == "__main__":
    write_resize()
    write_exif()
    write_dataset()
