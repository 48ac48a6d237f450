#pragma once
// What a file is that was given as a safetensors file and is none: the useful half of the error message.
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace negativa {

struct FileKind {
  const char* is;      // "a git-LFS pointer, …": completes "it is"
  const char* advice;  // "run git lfs pull": what to do instead
};

// By the first bytes, of which 512 are enough, and, where those say nothing, by the name: pickles are often known by it alone.
// Absent for a safetensors file and for what is unknown. Pure; safe from several threads.
std::optional<FileKind> foreign_file_kind(std::span<const uint8_t> first_bytes, const std::filesystem::path& name = {});

// The same of a file on disk; of one that is not there or cannot be read, the name alone says it.
std::optional<FileKind> foreign_file_kind(const std::filesystem::path& path);

// Whether it ends in one of weights_endings().
bool has_weights_name(const std::filesystem::path& file);

// A file that is to be opened as a pickle (pickle_file.h): by its first bytes, or by its name where those say nothing.
bool may_be_pickle(const std::filesystem::path& path);

// Throws ErrorKind::file_format in one line, with what to do, for a file of a foreign kind. SafetensorsFile::open asks it.
void check_not_foreign(const std::filesystem::path& path);

}  // namespace negativa
