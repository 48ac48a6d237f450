#pragma once
// The columns of `negativa compare`: arms, each by itself and then varied along the axes.
#include <functional>
#include <set>

#include "experiment/columns.h"
#include "jobs/compare.h"

namespace negativa {

struct CompareColumn {
  std::string name;                       // "article/cfg_scale=3"
  size_t plain = 0;                       // number of the arm's own column, which has none of the axes
  std::set<std::string> own;              // names of options that it sets
  std::set<std::string> replaced;         // of these, those whose value in the row's picture is not used
  std::function<void(DrawOptions&)> set;  // over a row's picture
};

// A picture's options before rows and columns: those of the TOML of --arms, below what was given on the command line.
struct CompareBase {
  DrawOptions draw;
  std::optional<ArmsFile> file;  // of --arms, where that names a TOML
};
// Throws as read_arms does, and for --lora that no arm of the TOML names.
CompareBase compare_base(const CompareOptions& options, EventSink& events);

// Of these rows' pictures. Says what has no part in any column. Throws ErrorKind::input: names that no arm has, one twice, arms
// that need a LoRA where a row has none, an axis that an arm sets itself or that varies nothing …
std::vector<CompareColumn> compare_columns(const CompareOptions& options, const CompareBase& base,
                                           const std::vector<PictureOptions>& rows, EventSink& events);

// What the arms' names mean, for the sheet's small print.
std::string legend_of(const CompareOptions& options, const CompareBase& base, const std::vector<CompareColumn>& columns);

// Names of the options that were given: typed, or other than by default.
std::set<std::string> given_options(const DrawOptions& draw, const std::set<std::string>& typed);

}  // namespace negativa
