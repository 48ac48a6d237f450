// What was given to compare and does nothing.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "jobs/compare_cells.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

// Lines, each with the columns that have it, in the order in which they were met.
struct LinesOfColumns {
  std::vector<std::pair<std::string, std::vector<size_t>>> lines = {};

  void add(const std::string& line, size_t column) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const auto& one) { return one.first == line; });
    if (found == lines.end())
      lines.push_back({line, {column}});
    else
      found->second.push_back(column);
  }
};

std::set<std::string> flags_of(const std::set<std::string>& options) {
  DrawOptions draw;
  std::set<std::string> flags;
  for (const auto& field : fields_of(draw))
    if (options.contains(field.name)) flags.insert(field.long_flag());
  return flags;
}

std::string flag_of(const std::string& line) { return line.substr(0, line.find(" has no effect")); }

class EffectNotices {
 public:
  EffectNotices(const CompareGrid& comparison, const std::set<std::string>& typed) : comparison_(comparison), typed_(typed) {
    for (size_t i = 0; i < comparison.columns.size(); ++i) add_column(i);
  }

  void say(EventSink& events) const {
    const size_t columns = comparison_.columns.size();
    for (const auto& [flag, common] : common_)
      if (common.columns + setters(flag) == columns) events.on_notice(common.line);
    for (const auto& [line, of] : embeddings_.lines)
      if (of.size() == columns) events.on_notice(line);
    for (const auto& [line, of] : own_.lines) {
      std::vector<std::string> names;
      for (const size_t column : of) names.push_back(comparison_.columns[column].name);
      events.on_notice(fmt::format("{}: {}", joined(names, ", "), line));
    }
  }

 private:
  struct Common {
    std::string line;
    size_t columns = 0;  // that have a line of this flag, and do not set it themselves
  };

  void add_column(size_t i) {
    const CompareColumn& column = comparison_.columns[i];
    std::vector<AskedPicture> asked;
    for (size_t row = 0; row < comparison_.rows.size(); ++row)
      asked.push_back({comparison_.cell(row, i).draw.picture, comparison_.cell(row, i).plan});
    std::set<std::string> names = typed_;
    names.insert(column.own.begin(), column.own.end());
    const auto own = flags_of(column.own);
    for (const auto& flag : own) ++setters_[flag];
    std::set<std::string> counted;
    for (const auto& line : without_effect(*comparison_.sessions[comparison_.cell(0, i).session], asked, names)) {
      const std::string flag = flag_of(line);
      if (own.contains(flag))
        own_.add(line, i);
      else if (flag == "--embedding")  // one of several, which its line alone tells
        embeddings_.add(line, i);
      else if (counted.insert(flag).second)
        ++common_.try_emplace(flag, Common{line, 0}).first->second.columns;
    }
  }

  size_t setters(const std::string& flag) const {
    const auto found = setters_.find(flag);
    return found == setters_.end() ? 0 : found->second;
  }

  const CompareGrid& comparison_;
  const std::set<std::string>& typed_;
  LinesOfColumns own_, embeddings_;
  std::map<std::string, Common> common_;   // by flag
  std::map<std::string, size_t> setters_;  // columns that set a flag themselves
};

}  // namespace

void note_effects(const CompareGrid& comparison, const std::set<std::string>& typed, EventSink& events) {
  EffectNotices(comparison, typed).say(events);
  for (const auto& option : given_options(comparison.base.draw, typed))
    if (std::all_of(comparison.columns.begin(), comparison.columns.end(),
                    [&](const CompareColumn& column) { return column.replaced.contains(option); }))
      events.on_notice(fmt::format("{} has no effect: every arm has its own", *flags_of({option}).begin()));
}

}  // namespace negativa
