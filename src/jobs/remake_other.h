#pragma once
// Part of set_from_picture: a picture that another program made.
#include "image/image.h"
#include "jobs/generate.h"

namespace negativa {

// Whether a person typed the option of that name.
bool is_typed(Fields& fields, const std::string& name);

// Files and folders that a person gave, and where else those are looked for that a picture names.
struct GivenFiles {
  std::vector<std::filesystem::path> files;    // absolute; of a folder without its last '/'
  std::vector<std::filesystem::path> folders;  // that those lie in, then others
  void add(const std::filesystem::path& path);
};

// False: no other program's settings are in these texts. `notices`: what was left out, and what means something a little
// different here. Throws ErrorKind::input for a graph that leads to no settings, for files that are not found and for a prompt
// that is not, unless those were typed.
bool set_from_other_picture(Fields& fields, const GenerateOptions& options, const Engine& engine, const TextChunks& text,
                            std::vector<std::string>& notices);

}  // namespace negativa
