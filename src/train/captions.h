#pragma once
// Which pictures a training folder has and what their captions are, before any picture is opened. docs/formats.md, "Training
// set". Names in metadata.jsonl and on disk are the same where they are in Unicode NFC.
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/file_names.h"

namespace negativa {

// What metadata.jsonl says: picture (path relative to the folder, '/') -> its "text", where it has one.
using MetadataCaptions = std::map<std::string, std::optional<std::string>>;

// Empty when the folder has no metadata.jsonl. Symbolic links that lead out of the folder are refused. Throws
// ErrorKind::file_format or missing_key naming the line (no JSON object, no file_name, one named twice), ErrorKind::input for a
// file_name that leads out of the folder, symbolic links resolved.
MetadataCaptions read_metadata_captions(const std::filesystem::path& folder, StoredNames& stored);

// The caption of one picture: its line in metadata.jsonl, NAME.txt beside it, or both when they agree. Throws ErrorKind::input
// when there is none or they differ, ErrorKind::file_format when NAME.txt is not UTF-8 text. Messages begin with [name].
std::string caption_of(const std::filesystem::path& folder, const std::string& name, const MetadataCaptions& metadata,
                       StoredNames& stored);

}  // namespace negativa
