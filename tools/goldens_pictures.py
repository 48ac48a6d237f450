"""Goldens of tests/base for pictures as people have them: colour profiles, WebP, animated files. From Pillow (with lcms2 as ImageCms, and libwebp).

  python tools/goldens_pictures.py [MODEL] [OUT]        writes into OUT/pictures, else tests/golden/pictures

NAME.png, NAME.jpg, NAME.webp are what is read; NAME.EXTENSION.seen.png is what Pillow shows: in sRGB by the perceptual intent, turned upright,
transparency over white. still_*.webp have no profile: WebP alone. animated.* have three frames.
"""

import io
import pathlib
import struct
import sys

import numpy
from PIL import Image, ImageCms, ImageOps

from goldens_images import exif_of, picture, stored

OUT = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden") / "pictures"
D50 = numpy.array([0.9642, 1.0, 0.8249])
BRADFORD = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
D65 = (0.3127, 0.3290)


def xyz(x, y):
    return numpy.array([x / y, 1, (1 - x - y) / y])


def primaries(chromaticities):
    """Columns: what red, green and blue are in the profile connection space, white adapted from D65 to D50 (ICC.1:2022, annex E)."""
    columns = numpy.array([xyz(*each) for each in chromaticities]).T
    columns = columns * numpy.linalg.solve(columns, xyz(*D65))
    scale = (BRADFORD @ D50) / (BRADFORD @ xyz(*D65))
    return numpy.linalg.inv(BRADFORD) @ numpy.diag(scale) @ BRADFORD @ columns


def fixed(*numbers):
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def gamma(value):
    return b"curv" + struct.pack(">IIH", 0, 1, round(value * 256)) + b"\0\0"


SRGB_CURVE = b"para" + struct.pack(">IHH", 0, 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def description(text):
    data = text.encode() + b"\0"
    return b"desc" + struct.pack(">II", 0, len(data)) + data + bytes(78)


def profile(space, tags, connection=b"XYZ "):
    """ICC.1:2001-04: header, table of tags, their data each at a multiple of 4."""
    tags = {b"desc": description("negativa test"), b"cprt": b"text\0\0\0\0public domain\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50), **tags}
    at, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(data), bytes(4), 0x02400000, b"mntr", space, connection)
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*D50)
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + data


def matrix_profile(chromaticities, curve):
    columns = primaries(chromaticities)
    tags = {name: b"XYZ \0\0\0\0" + fixed(*columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return profile(b"RGB ", {**tags, **{name: curve for name in (b"rTRC", b"gTRC", b"bTRC")}})


def table(chroma):
    """mft2: the corners of the RGB cube in Lab, straight lines between them."""
    corners = []
    for r in (0, 1):
        for g in (0, 1):
            for b in (0, 1):
                light = 10 + 25 * r + 45 * g + 15 * b
                corners += [light / 100 * 0xFF00, (128 + chroma * (70 * r - 60 * g + 20 * b)) / 255 * 0xFF00, (128 + chroma * (50 * r + 40 * g - 80 * b)) / 255 * 0xFF00]
    numbers = [round(each) for each in corners]
    straight = [0, 0xFFFF] * 3
    return (b"mft2" + bytes(4) + bytes([3, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">HH", 2, 2)
            + struct.pack(f">{len(straight)}H", *straight) + struct.pack(f">{len(numbers)}H", *numbers) + struct.pack(f">{len(straight)}H", *straight))


DISPLAY_P3 = matrix_profile(P3, SRGB_CURVE)
ADOBE_RGB = matrix_profile(ADOBE, gamma(563 / 256))
GAMMA_18 = matrix_profile(SRGB, gamma(1.8))
GREY = profile(b"GRAY", {b"kTRC": gamma(1.8)})
TABLES = profile(b"RGB ", {b"A2B0": table(1.0), b"A2B1": table(0.5)}, b"Lab ")  # by another intent than perceptual half the chroma


def flattened(rgb, alpha):
    rgb, alpha = numpy.asarray(rgb, int), numpy.asarray(alpha, int)[..., None]
    return Image.fromarray(((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(numpy.uint8))


def seen(path):
    image = ImageOps.exif_transpose(Image.open(path))
    icc = image.info.get("icc_profile")
    alpha = image.convert("RGBA").getchannel("A") if "A" in image.mode or "transparency" in image.info else None
    image = image.convert("L" if image.mode in ("L", "LA") else "RGB")
    if icc:
        image = ImageCms.profileToProfile(image, io.BytesIO(icc), ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL, outputMode="RGB")
    image = image.convert("RGB")
    return flattened(image, alpha) if alpha else image


def save(image, name, **options):
    path = OUT / name
    image.save(path, **options)
    seen(path).save(OUT / f"{name}.seen.png")


def with_segments(path, icc, count):
    """The profile in `count` APP2 segments, the last first."""
    bytes_ = path.read_bytes()
    parts = [icc[i * len(icc) // count : (i + 1) * len(icc) // count] for i in range(count)]
    segments = [b"ICC_PROFILE\0" + bytes([i + 1, count]) + part for i, part in enumerate(parts)]
    path.write_bytes(bytes_[:2] + b"".join(b"\xff\xe2" + struct.pack(">H", len(each) + 2) + each for each in reversed(segments)) + bytes_[2:])
    seen(path).save(OUT / f"{path.name}.seen.png")


def write_profiles():
    rgb = picture(24, 16, 20)
    alpha = Image.fromarray((numpy.mgrid[0:16, 0:24][1] * 11).astype(numpy.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    grey = rgb.convert("L")
    grey_alpha = grey.copy()
    grey_alpha.putalpha(alpha)
    save(rgb, "p3.png", icc_profile=DISPLAY_P3)
    save(rgba, "p3_alpha.png", icc_profile=DISPLAY_P3)
    save(rgb.quantize(64), "p3_palette.png", icc_profile=DISPLAY_P3)
    save(rgb, "gamma.png", icc_profile=GAMMA_18)
    save(rgb, "tables.png", icc_profile=TABLES)
    save(grey, "grey.png", icc_profile=GREY)
    save(grey_alpha, "grey_alpha.png", icc_profile=GREY)
    save(rgb, "adobe.jpg", icc_profile=ADOBE_RGB, quality=95, subsampling=0)
    save(grey, "grey.jpg", icc_profile=GREY, quality=95)
    save(rgb, "segments.jpg", quality=95, subsampling=0)
    with_segments(OUT / "segments.jpg", DISPLAY_P3, 3)
    save(rgb, "p3.webp", icc_profile=DISPLAY_P3, quality=90)
    save(rgba, "adobe_alpha.webp", icc_profile=ADOBE_RGB, lossless=True, exact=True)


def write_webp():
    rgb = picture(37, 23, 21)  # odd sides: chroma has half a pixel
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray((numpy.mgrid[0:23, 0:37][1] * 7).astype(numpy.uint8)))
    save(rgb, "still_lossy.webp", quality=60)
    save(rgba, "still_lossy_alpha.webp", quality=60)
    save(rgb, "still_lossless.webp", lossless=True)
    save(rgba, "still_lossless_alpha.webp", lossless=True, exact=True)
    save(stored(rgb, 6), "still_turned.webp", lossless=True, exif=exif_of(6))


def write_animated():
    frames = [picture(12, 10, 30 + i) for i in range(3)]
    for extension in ("png", "gif", "webp"):
        frames[0].save(OUT / f"animated.{extension}", save_all=True, append_images=frames[1:], duration=100)
        assert Image.open(OUT / f"animated.{extension}").n_frames == 3
    frames[0].save(OUT / "still.gif")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write_profiles()
    write_webp()
    write_animated()
