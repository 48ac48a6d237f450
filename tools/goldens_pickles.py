"""Writes OUT/pickles/: what torch.save writes, in every form that the reader knows, with the same tensors as safetensors.

    python tools/goldens_pickles.py MODEL OUT

  tensors.safetensors   the names and numbers that all the forms below hold
  zip.pt legacy.pt      torch.save, new and old container, protocol 2
  zip_0.pt … zip_5.pt   the new container with other protocols (0 without tensors is all that torch can write; left out)
  legacy_1.pt legacy_4.pt
  wrapped.ckpt          {"state_dict": …, "optimizer_states": …, "global_step": …, callbacks keyed by a class}, as Lightning's
  nested.pt             {"a": {"b": tensor}, "list": [Parameter, …], "x.alpha": 8.0}, with nested.safetensors
  word_sd1.pt           the webui's embedding of Stable Diffusion 1.x: string_to_param in a ParameterDict
  lora_2023.bin         the tensors of lora_diffusers_2023.safetensors, a diffusers LoRA of mid-2023
  lora_peft.bin         those of lora_peft/adapter_model.safetensors
  hostile.json          base64 of pickles that would run something, made by fickling and by hand: name -> bytes
"""
import base64
import collections
import io
import json
import os
import struct
import sys
import zipfile

import numpy
import torch
from safetensors.torch import load_file, save_file


def tensors():
    """Every dtype that files have, views, strides, shared storages, a Parameter, a scalar, an empty tensor."""
    generator = torch.Generator().manual_seed(7)
    wide = torch.randn(6, 4, generator=generator)
    named = collections.OrderedDict()
    named["float"] = wide
    named["half"] = wide.half()
    named["bfloat16"] = wide.bfloat16()
    named["double"] = wide.double()
    named["int64"] = torch.arange(-3, 4)
    named["int32"] = torch.arange(5, dtype=torch.int32)
    named["int16"] = torch.arange(3, dtype=torch.int16)
    named["int8"] = torch.arange(-3, 4, dtype=torch.int8)
    named["uint8"] = torch.arange(7, dtype=torch.uint8)
    named["bool"] = torch.tensor([True, False, True])
    named["transposed"] = wide.t()
    named["rows"] = wide[2:5]
    named["every.second"] = wide[::2, 1::2]
    named["expanded"] = wide[:1].expand(3, 4)
    named["shared"] = wide.view(-1)
    named["parameter"] = torch.nn.Parameter(wide[:, 0].clone())
    named["scalar"] = torch.tensor(2.5)
    named["empty"] = torch.zeros(0, 4)
    return named


def newer():
    """Dtypes that only the new container with _rebuild_tensor_v3 has."""
    values = torch.linspace(-2, 2, 9)
    return {"uint16": torch.arange(5).to(torch.uint16), "float8": values.to(torch.float8_e4m3fn),
            "float8_wide": values.to(torch.float8_e5m2)[2:7]}


def save(path, value, zipped=True, protocol=2):
    """The old container calls a storage by its address, and writes them in the order of these names: made 1000, 1001 … here, so
    that the same bytes come out each time."""
    address = torch.UntypedStorage._cdata
    names = {}
    torch.UntypedStorage._cdata = property(lambda storage: names.setdefault(address.__get__(storage), 1000 + len(names)))
    try:
        torch.save(value, path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    finally:
        del torch.UntypedStorage._cdata


def as_safetensors(path, named):
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in named.items()}, path)


class Checkpoint:
    """Stands for a class of a training library: named by a checkpoint, never called."""


Checkpoint.__module__ = "pytorch_lightning.callbacks.model_checkpoint"
Checkpoint.__qualname__ = "ModelCheckpoint"


def forms(folder):
    named = tensors()
    as_safetensors(f"{folder}/tensors.safetensors", named)
    save(f"{folder}/zip.pt", named)
    save(f"{folder}/legacy.pt", named, zipped=False)
    for protocol in (1, 3, 4, 5):
        save(f"{folder}/zip_{protocol}.pt", named, protocol=protocol)
    for protocol in (1, 4):
        save(f"{folder}/legacy_{protocol}.pt", named, zipped=False, protocol=protocol)
    as_safetensors(f"{folder}/newer.safetensors", newer())
    save(f"{folder}/newer.pt", newer())
    as_safetensors(f"{folder}/nested.safetensors",
                   {"a.b": named["float"], "list.0": named["half"], "list.1": named["int8"], "x.alpha": torch.tensor(8.0).double(),
                    "y.alpha": torch.tensor(0.5).double()})
    save(f"{folder}/nested.pt", {"a": {"b": named["float"]}, "list": [torch.nn.Parameter(named["half"]), named["int8"]], "x.alpha": 8,
                                 "y.alpha": numpy.float32(0.5), "name": "a name", "step": 12, "note": b"bytes"})


def wrapped(folder):
    module = type(sys)("pytorch_lightning.callbacks.model_checkpoint")
    module.ModelCheckpoint = Checkpoint
    sys.modules.update({"pytorch_lightning": type(sys)("pytorch_lightning"), "pytorch_lightning.callbacks": type(sys)("c"),
                        module.__name__: module})
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.arange(6.0).view(2, 3))
        model.bias.copy_(torch.tensor([7.0, 8.0]))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    as_safetensors(f"{folder}/wrapped.safetensors", state)
    save(f"{folder}/wrapped.ckpt", {"epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": state,
                                    "callbacks": {Checkpoint: {"monitor": "val", "best_model_score": torch.tensor(0.5)}},
                                    "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [{"last": numpy.float64(1.5)}]})


def lora(goldens, folder):
    """The keys of mid-2023 that lora_diffusers_2023.safetensors has, as pytorch_lora_weights.bin of that time."""
    save(f"{folder}/lora_2023.bin", load_file(f"{goldens}/lora_diffusers_2023.safetensors"))
    save(f"{folder}/lora_peft.bin", load_file(f"{goldens}/lora_peft/adapter_model.safetensors"))


def word_of_sd1(folder):
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(2, 64, generator=generator)
    save(f"{folder}/word_sd1.pt", {"string_to_token": {"*": 265}, "string_to_param": torch.nn.ParameterDict({"*": vectors}),
                                   "name": "bad_hands", "step": 5000, "sd_checkpoint": "7460a6fa", "sd_checkpoint_name": "model"})
    as_safetensors(f"{folder}/word_sd1.safetensors", {"string_to_param.*": vectors})


class Call:
    """A value whose pickle calls `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def entry_of(name, compression=zipfile.ZIP_STORED):
    """An entry of 1980, so that the same bytes come out each time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = compression
    return entry


def archive(pickle, extra=(), name="archive/data.pkl"):
    """A container of torch.save with that pickle in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr(entry_of(name), pickle)
        file.writestr(entry_of("archive/byteorder"), "little")
        file.writestr(entry_of("archive/version"), "3\n")
        for entry, content in extra:
            file.writestr(entry_of(entry), content)
    return out.getvalue()


def fickled():
    """What fickling injects into a sound file, at both ends, with and without leaving the sound value in place."""
    import fickling.fickle as fickle
    import pickle

    sound = pickle.dumps({"a": [1, 2]}, protocol=4)
    made = {}
    codes = {"eval": "__import__('os').system('touch PROOF')", "exec": "open('PROOF','w').write('x')"}
    for function, code in codes.items():
        for first in (True, False):
            for replace in (True, False):
                pickled = fickle.Pickled.load(sound)
                if function == "eval":
                    pickled.insert_python_eval(code, run_first=first, use_output_as_unpickle_result=replace)
                else:
                    pickled.insert_python_exec(code, run_first=first, use_output_as_unpickle_result=replace)
                made[f"fickling {function} {'first' if first else 'last'}{' replacing' if replace else ''}"] = pickled.dumps()
    for module, attribute in (("os", "system"), ("subprocess", "check_output"), ("builtins", "compile"), ("webbrowser", "open"),
                              ("urllib.request", "urlopen"), ("socket", "create_connection")):
        pickled = fickle.Pickled.load(sound)
        pickled.insert_python("touch PROOF", module=module, attr=attribute, run_first=True)
        made[f"fickling {module}.{attribute}"] = pickled.dumps()
    return made


def calls():
    """Python's own pickles of calls, in every protocol, and by every opcode that calls."""
    import os as system
    import pickle

    made = {f"os.system protocol {protocol}": pickle.dumps(Call(system.system, "touch PROOF"), protocol) for protocol in range(6)}
    made["nested in a dict"] = pickle.dumps({"a": {"b": [1, Call(eval, "open('PROOF','w')")]}}, 2)
    made["result called"] = b"c__builtin__\ngetattr\n(c__builtin__\n__import__\n(S'os'\ntRS'system'\ntR(S'touch PROOF'\ntR."
    made["rebuilt by another"] = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\nX\x01\x00\x00\x00a\x85}tR."
    made["reconstructor"] = b"ccopyreg\n_reconstructor\n(csubprocess\nPopen\nc__builtin__\nobject\nNtR."
    made["inst"] = b"(S'touch PROOF'\nios\nsystem\n."
    made["obj"] = b"(cos\nsystem\nS'touch PROOF'\no."
    made["newobj"] = b"\x80\x02csubprocess\nPopen\n(S'touch'\nS'PROOF'\nl\x85\x81."
    made["newobj_ex"] = b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93\x8c\x01a\x85}\x92."
    made["build"] = b"\x80\x02cos\nenviron\n}b."
    made["stack global"] = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch PROOF\x85R."
    made["dotted name"] = b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93]\x85R."
    made["extension code"] = b"\x80\x02\x82\x01)R."
    made["extension code 4"] = b"\x80\x02\x84\x01\x00\x00\x00)R."
    made["persistent id of text"] = b"Pfile:///etc/passwd\n."
    made["out-of-band buffer"] = b"\x80\x05\x97."
    made["encode through another code"] = b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x86R."
    made["lambda of dill"] = b"\x80\x04\x8c\x0adill._dill\x8c\x10_create_function\x93(tR."
    made["numpy object"] = b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R."
    return made


def floods():
    """Small files that would grow: doubling tuples and lists, marks, memo entries, lengths beyond the end, huge tensors."""
    laughs = b"\x80\x02](K\x01K\x01eq\x00" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)) + b"."
    tuples = b"\x80\x02K\x01" + b"2\x86" * 200 + b"."
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"

    def tensor(size, stride, offset=0):
        number = lambda value: b"\x8a\x08" + struct.pack("<q", value)
        shape = lambda values: b"(" + b"".join(number(value) for value in values) + b"t"
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + shape(size) + shape(stride) + b"\x89N" + b"tR")

    def state(*made):
        return archive(b"\x80\x02}(" + b"".join(b"X\x02\x00\x00\x00t%d" % i + one for i, one in enumerate(made)) + b"u.",
                       [("archive/data/0", b"\0" * 16)])

    return {
        "doubling lists": archive(laughs), "doubling tuples": archive(tuples), "a million marks": archive(b"\x80\x02" + b"(" * 1_100_000),
        "text beyond the end": b"\x80\x02X\xff\xff\xff\xff", "text of 16 EiB": b"\x80\x04\x8d" + b"\xff" * 8,
        "integer of 2 GiB": b"\x80\x02\x8b\xff\xff\xff\x7f", "a list in itself": archive(b"\x80\x02]q\x00h\x00a."),
        "a dict in itself": archive(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."),
        "negative size": state(tensor([-1], [1])), "stride of 0": state(tensor([1 << 40], [0])),
        "shape that overflows": state(tensor([1 << 33, 1 << 33], [0, 0])), "beyond the storage": state(tensor([5], [1])),
        "offset beyond the storage": state(tensor([1], [1], 4)), "stride beyond the storage": state(tensor([2, 2], [3, 1])),
        "negative stride": state(tensor([2], [-1], 1)), "no storage": archive(b"\x80\x02}X\x01\x00\x00\x00a" + tensor([4], [1]) + b"s."),
    }


def archives():
    """Containers that torch.save does not write."""
    import pickle

    sound = pickle.dumps({}, 2)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(entry_of("archive/data.pkl", zipfile.ZIP_DEFLATED), sound + b"\0" * 1000)
    whole = archive(sound)
    encrypted = bytearray(whole)
    at = encrypted.index(b"PK\x01\x02")
    encrypted[at + 8] |= 1
    overlapping = bytearray(archive(sound, [("archive/data/0", b"0" * 8)]))
    first, last = overlapping.index(b"PK\x01\x02"), overlapping.rindex(b"PK\x01\x02")
    size = struct.unpack_from("<I", overlapping, first + 24)[0] + 40
    struct.pack_into("<II", overlapping, first + 20, size, size)
    del last
    return {
        "compressed entry": packed.getvalue(), "encrypted entry": bytes(encrypted), "overlapping entries": bytes(overlapping),
        "escaping entry": archive(sound, [("../../PROOF", b"x")]), "absolute entry": archive(sound, [("/tmp/PROOF", b"x")]),
        "two pickles": archive(sound, [("other/data.pkl", sound)]), "no pickle": archive(sound, name="archive/other.pkl"),
        "cut directory": whole[:-30], "script": archive(sound, [("archive/constants.pkl", sound)]),
        "big endian": archive(sound).replace(b"little", b"biggie"),
    }


def hostile(folder):
    made = {}
    for name, pickle in {**fickled(), **calls()}.items():
        made[f"{name}, bare"] = pickle
        made[f"{name}, in an archive"] = archive(pickle)
    made.update(floods())
    made.update(archives())
    kept = {name: base64.b64encode(content).decode() for name, content in made.items() if len(content) < 20000}
    with open(f"{folder}/hostile.json", "w") as file:
        json.dump(kept, file, indent=0, sort_keys=True)
    return len(kept)


def main():
    folder = os.path.join(sys.argv[2], "pickles")
    os.makedirs(folder, exist_ok=True)
    forms(folder)
    wrapped(folder)
    lora(sys.argv[2], folder)
    word_of_sd1(folder)
    print(f"{folder}: {hostile(folder)} hostile files, {sum(entry.stat().st_size for entry in os.scandir(folder))} bytes")


if __name__ == "__main__":
    main()
