"""Takes tests/golden/adapters.safetensors apart: one small adapter file a case, for libFuzzer to start from, and the pieces of its keys as a dictionary.

    fuzz_seeds.py FOLDER DICTIONARY
"""
import json
import pathlib
import struct
import sys

GOLDEN = pathlib.Path(__file__).parent.parent / "tests/golden/adapters.safetensors"


def main():
    folder, dictionary = map(pathlib.Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    content = GOLDEN.read_bytes()
    length, = struct.unpack_from("<Q", content)
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    cases, words = {}, {"F16", "BF16", "F32", "I64", "__metadata__", "ss_network_module", "bundle_emb.", "unet.", "lora_te1_", "lora_te2_", "text_encoder."}
    for name, entry in header.items():
        case, bar, key = name.partition("|")
        if bar and len(key) > 1:
            cases.setdefault(case, {})[key] = entry
            words.add(key[key.rfind("."):])
            words.add(key[key.find("."):])
    for case, entries in cases.items():
        packed, kept = b"", {}
        for key, entry in entries.items():
            begin, end = entry["data_offsets"]
            kept[key] = {**entry, "data_offsets": [len(packed), len(packed) + end - begin]}
            packed += data[begin:end]
        text = json.dumps(kept).encode()
        (folder / case.replace(" ", "_")).write_bytes(struct.pack("<Q", len(text)) + text + packed)
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words)))


main()
