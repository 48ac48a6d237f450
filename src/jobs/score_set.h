#pragma once
// A folder of pictures to be scored: what each was asked for, before any is decoded.
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "image/events.h"

namespace negativa {

struct ScoredFile {
  Path path;
  std::string name;  // relative to the folder
  std::string
      caption;  // metadata.jsonl, NAME.txt beside, or the prompt of the PNG's own recipe, without the syntax of prompt weights
  std::optional<uint64_t> seed;
  std::string model;  // that drew it, by the name in its recipe; empty: it has none
};

struct ScoreSet {
  std::string name;               // the folder as given
  std::vector<ScoredFile> files;  // sorted by name
};

// Throws ErrorKind::input: no such folder, no PNG, JPEG or WebP in it, pictures without a caption (all named in one line); as
// read_metadata_captions does.
ScoreSet read_score_set(const Path& folder, bool captions);

// The picture as a person sees it. Throws as see_picture does; a colour profile that cannot be applied is a notice.
Image8 picture_of(const Path& file, EventSink& events);

}  // namespace negativa
