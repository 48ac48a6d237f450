"""What transformers makes of pictures and texts with a CLIP judge, and pictures of every size and kind to ask it about."""
import numpy as np
import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

# (width, height, mode, ending): one pixel wide or high, every mode that PNG and JPEG have and people use, odd sides, up to 3000.
KINDS = [
    (1, 900, "RGB", "png"), (900, 1, "RGB", "png"), (1, 1, "RGB", "png"), (2, 3000, "L", "png"), (3000, 3, "RGBA", "png"), (64, 64, "RGB", "png"),
    (64, 64, "L", "png"), (64, 64, "RGBA", "png"), (64, 64, "P", "png"), (64, 64, "LA", "png"), (64, 64, "1", "png"), (64, 64, "PA", "png"), (65, 64, "RGB", "png"),
    (64, 65, "RGB", "jpg"), (63, 64, "RGB", "png"), (63, 63, "RGB", "png"), (128, 128, "RGB", "png"), (129, 127, "RGB", "png"), (200, 64, "RGB", "png"),
    (64, 200, "P", "png"), (31, 17, "RGBA", "png"), (17, 31, "L", "png"), (8, 8, "RGB", "png"), (7, 9, "RGBA", "png"), (96, 64, "RGB", "jpg"),
    (100, 150, "L", "jpg"), (150, 101, "RGB", "jpg"), (256, 256, "RGB", "png"), (257, 255, "PA", "png"), (320, 240, "RGB", "png"), (240, 321, "RGB", "png"),
    (333, 222, "LA", "png"), (512, 512, "RGB", "png"), (512, 64, "RGB", "png"), (64, 512, "RGBA", "png"), (640, 480, "RGB", "jpg"), (481, 640, "RGB", "png"),
    (768, 768, "RGB", "png"), (777, 333, "P", "png"), (800, 1, "L", "png"), (1, 2, "RGB", "png"), (5, 1000, "RGBA", "png"), (1024, 1024, "RGB", "png"),
    (1023, 1025, "RGB", "jpg"), (1280, 720, "RGB", "png"), (720, 1281, "RGB", "png"), (1536, 640, "RGBA", "png"), (2048, 2048, "RGB", "jpg"), (3000, 2000, "RGB", "png"),
    (3000, 3000, "RGB", "png"),
]


def picture(width, height, mode, seed):
    """Bars, a slope and some noise: something at every frequency, so that a wrong filter or crop shows."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 80 * np.sin(x / random.uniform(1.5, 40) + y / random.uniform(1.5, 40)) + 40 * (x / max(width - 1, 1)) - 30 * (y / max(height - 1, 1)) for _ in range(3)]
    pixels = np.stack(planes, -1) + random.normal(0, 12, (height, width, 3))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    alpha = Image.fromarray(np.clip(127 + 140 * np.sin(x / 9.0) * np.cos(y / 7.0), 0, 255).astype(np.uint8))
    if mode == "RGBA":
        image.putalpha(alpha)
    elif mode == "PA":  # a palette one of whose entries is transparent
        image = image.quantize(16)
        image.info["transparency"] = 3
    elif mode == "P":
        image = image.quantize(64)
    elif mode == "LA":
        image = image.convert("L")
        image.putalpha(alpha)
    else:
        image = image.convert(mode)
    return image


def save(image, path):
    transparency = image.info.get("transparency")
    keywords = {} if transparency is None else {"transparency": transparency}
    image.save(path, **({"quality": 95} if path.endswith(".jpg") else keywords))


class Judge:
    """CLIPModel with the image processor that works with Pillow, as the program does."""

    def __init__(self, folder):
        self.model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        self.processor = CLIPImageProcessorPil.from_pretrained(folder)

    def pixels(self, path, processor=None):
        return (processor or self.processor)(Image.open(path), return_tensors="pt", input_data_format="channels_last")["pixel_values"]

    @torch.no_grad()
    def image_embeds(self, path):
        embeds = self.model.get_image_features(pixel_values=self.pixels(path)).pooler_output
        return embeds / embeds.norm(dim=-1, keepdim=True)

    @torch.no_grad()
    def text_embeds(self, text):
        ids = self.tokenizer([text], return_tensors="pt", truncation=True, max_length=77)
        embeds = self.model.get_text_features(**ids).pooler_output
        return embeds / embeds.norm(dim=-1, keepdim=True)

    def scores(self, paths, texts):
        """[pictures, texts]: 100 times the cosine"""
        images = torch.cat([self.image_embeds(path) for path in paths])
        return 100 * images @ torch.cat([self.text_embeds(text) for text in texts]).T
