#pragma once
// What lies in a library's folder.
namespace negativa::library_names {

inline constexpr const char* description = "library.json";  // which library, and how its files lie
inline constexpr const char* access = "access.json";        // secrets, mode 0600
inline constexpr const char* lock = "lock";
inline constexpr const char* pictures = "pictures";  // a folder a job, and "imported"
inline constexpr const char* imported = "imported";
inline constexpr const char* trash = "trash";    // under the names they had in "pictures"
inline constexpr const char* jobs = "jobs";      // a file a job
inline constexpr const char* files = "files";    // what jobs wrote that is neither picture nor LoRA, a folder a job
inline constexpr const char* sets = "sets";      // in "files": pictures to train on, a folder a set
inline constexpr const char* drafts = "drafts";  // what the page's forms were left with
inline constexpr const char* loras = "lora";
inline constexpr const char* embeddings = "embeddings";
inline constexpr const char* ratings = "ratings.jsonl";
inline constexpr const char* runs = "runs";        // of experiments, a folder each
inline constexpr const char* uploads = "uploads";  // emptied at the start
inline constexpr const char* index = "index.sqlite";

}  // namespace negativa::library_names
