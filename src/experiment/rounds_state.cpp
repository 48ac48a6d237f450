#include "experiment/rounds_state.h"

#include <filesystem>

#include "base/json.h"

namespace negativa {

namespace {

constexpr int format = 1;

BegunRound round_from(const Json& json, std::string_view where) {
  BegunRound round{get<std::string>(json, "rejects", where), get<size_t>(json, "pictures", where)};
  const std::filesystem::path path = round.rejects;
  const bool is_inside = path.parent_path() == names::rejects_folder && path == path.lexically_normal() && path.has_filename() &&
                         path.filename() != "..";
  check(is_inside, ErrorKind::file_format, "[{}] \"rejects\": got {}, expected a folder in {}/", where,
        json_excerpt(json["rejects"]), names::rejects_folder);
  return round;
}

}  // namespace

std::string RoundsState::to_text() const {
  Json json = {{"format", format}, {"arm", arm}, {"caption", caption}, {"share", share}, {"base_sha256", base_sha256}};
  json["rounds"] = Json::array();
  for (const auto& round : rounds) json["rounds"].push_back({{"rejects", round.rejects}, {"pictures", round.pictures}});
  return json.dump(1) + "\n";
}

RoundsState RoundsState::from_text(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  const int written = get<int>(json, "format", where);
  check(written == format, ErrorKind::file_format, "[{}] has format {}, expected {}: another version of the program wrote it",
        where, written, format);
  RoundsState state;
  state.arm = get<std::string>(json, "arm", where);
  state.caption = get<std::string>(json, "caption", where);
  state.share = get<double>(json, "share", where);
  state.base_sha256 = get<std::string>(json, "base_sha256", where);
  for (const Json& round : get_list(json, "rounds", where)) state.rounds.push_back(round_from(round, where));
  return state;
}

}  // namespace negativa
