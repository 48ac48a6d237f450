#pragma once
// Pictures that can be rated in pairs: of a run's arms, or of two folders. docs/rating.md.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "image/events.h"

namespace negativa {

struct RatablePicture {
  size_t arm = 0;  // of RatableSet::arms
  std::string prompt;
  uint64_t seed = 0;  // of its noise
  std::string file;   // below RatableSet::folder, '/' between
};

struct RatableSet {
  std::filesystem::path folder;          // where ratings.jsonl lies
  std::vector<std::string> arms;         // two or more
  std::vector<RatablePicture> pictures;  // in the order of plan or file; an arm may have several of one prompt and seed
  std::string verdict_command;           // what shows the verdict; empty: nothing but the file
};

// Of these arms; none named: of the two that the run's planned comparison (analysis.primary) is about, or of its only two.
// Everything is looked at, and files up to RunStore::hashed_up_to_bytes are hashed. Throws ErrorKind::input for what is no run,
// an unknown or lone arm, pictures that are missing or damaged; as RunStore::open does.
RatableSet ratable_run(const std::filesystem::path& run, const std::vector<std::string>& arms, EventSink& events);

// Two folders with metadata.jsonl, each an arm under its path below the folder that holds both, where the ratings then lie.
// Throws ErrorKind::input (no such folder, one within the other, two pictures of one prompt and seed in one), file_format.
RatableSet ratable_folders(const std::filesystem::path& first, const std::filesystem::path& second);

}  // namespace negativa
