#pragma once
// Files as people have them, in small: what is in them, under whose names, in which number format and container, and what the
// program is to make of them.
#include <filesystem>
#include <map>
#include <string>

#include "io/safetensors.h"

namespace negativa::test {

using Tensors = std::map<std::string, Tensor>;

enum class Use { model, vae, lora, embedding };

struct StandIn {
  std::string name;
  Use use;
  Tensors tensors;
  std::string words = {};  // of the refusal; empty: it opens
  Metadata metadata = {};
};

// Floating-point tensors in that format, the others as they are.
Tensors stored_as(const Tensors& tensors, DType dtype);

// What torch.save writes of a dict of these: the ZIP container, protocol 2; metadata as further texts of the dict.
std::string pickled(const Tensors& tensors, const Metadata& metadata = {});

// Opens it as --model, --vae, --lora or --embedding would, as far as headers go. Gives the refusal; empty: it opens.
std::string refusal_of(Use use, const std::filesystem::path& file);

}  // namespace negativa::test
