#pragma once
// What other programs write into their pictures: AUTOMATIC1111's webui and those that write as it does (Forge, SD.Next), Fooocus,
// ComfyUI. What is found is kept in the words of that program; what cannot be found for certain is said, never guessed.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/image.h"

namespace negativa {

// How a prompt is written: (word:1.3), [word] and BREAK; parentheses alone; Compel's weights, as here; no syntax at all.
enum class PromptDialect { webui, comfy, compel, plain };

struct OtherLora {
  std::string name;           // of its file, without folders and a weights file's ending
  double unet = 1, text = 1;  // weights
  bool negative = false;      // named in the negative prompt
};

struct OtherSettings {
  std::string program;  // "webui", "Fooocus", "ComfyUI"
  PromptDialect dialect = PromptDialect::webui;
  std::optional<std::string> prompt, negative_prompt;  // absent: none, or one that was not found
  std::optional<std::string> prompt_2, negative_prompt_2;
  std::string sampler, scheduler;                             // empty: not said
  std::string model, vae, refiner;                            // names of files without folders; empty: not said
  std::string model_hash;                                     // ten hexadecimal digits of its SHA-256; empty: not said
  std::vector<OtherLora> loras;                               // those that stand apart from the prompt
  std::vector<std::string> embeddings;                        // names
  std::vector<std::pair<std::string, std::string>> settings;  // other options of `generate` by our names: {"steps", "20"}
  std::vector<std::string> not_honoured;                      // one line each: "Hires upscale: 2 (…)"
};

// Absent: no such text is there. Throws ErrorKind::file_format for JSON that is broken, deeper than 64 levels or larger than
// max_other_bytes, and ErrorKind::input, in a line that says why, for a graph of ComfyUI that leads to no single sampler.
std::optional<OtherSettings> other_settings(const TextChunks& text);
inline constexpr size_t max_other_bytes = size_t{4} << 20;

// "folder\\name.safetensors" -> "name"
std::string plain_file_name(std::string_view name);

// "NAME: VALUE (why)" in one line, the value cut short.
std::string not_honoured_line(std::string_view name, std::string_view value, std::string_view why);

OtherSettings comfy_settings(std::string_view graph);       // image/comfy_graph.cpp
OtherSettings webui_settings(const std::string& infotext);  // image/infotext_settings.cpp
OtherSettings fooocus_settings(std::string_view json);      // likewise

}  // namespace negativa
