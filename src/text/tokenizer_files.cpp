#include "text/tokenizer_files.h"

#include <algorithm>
#include <optional>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "text/unicode.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> pieces_from(const Json& vocabulary, const std::string& where) {
  check(vocabulary.is_object() && !vocabulary.empty(), ErrorKind::file_format, "[{}] got {}, expected an object of token: id",
        where, json_excerpt(vocabulary));
  const auto count = static_cast<int64_t>(vocabulary.size());
  std::vector<std::string> pieces(count);
  std::vector<bool> seen(count, false);
  for (const auto& [piece, value] : vocabulary.items()) {
    check(json_holds<int64_t>(value), ErrorKind::file_format, "[{}] \"{}\": got {}, expected an id", where, piece,
          json_excerpt(value));
    const auto id = value.get<int64_t>();
    check(id >= 0 && id < count && !seen[id], ErrorKind::file_format, "[{}] \"{}\": got id {}, expected each of 0 to {} once",
          where, piece, id, count - 1);
    pieces[id] = piece;
    seen[id] = true;
  }
  return pieces;
}

Merge merge_of(std::string_view line, const std::string& where) {
  const auto space = line.find(' ');
  check(space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
            line.find(' ', space + 1) == std::string_view::npos,
        ErrorKind::file_format, "[{}] got the merge \"{}\", expected two tokens with a space between them", where,
        line.substr(0, 60));
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

std::vector<Merge> read_merges(const fs::path& path) {
  const std::string text = read_file(path), where = path.string();
  check_utf8(text, where);
  std::vector<Merge> merges;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool header = begin == 0 && line.starts_with("#version");
    if (!header && !line.empty()) merges.push_back(merge_of(line, where));
    begin = end + 1;
  }
  return merges;
}

AddedToken added_token(const Json& value, const std::string& where) {
  if (value.is_string()) return {value.get<std::string>()};
  AddedToken token{get<std::string>(value, "content", where)};
  token.normalized = get_or(value, "normalized", false, where);
  for (const char* flag : {"lstrip", "rstrip", "single_word"})
    check(!get_or(value, flag, false, where), ErrorKind::file_format,
          "[{}] token \"{}\" has {}, which no CLIP tokenizer uses; set it to false", where, token.content, flag);
  return token;
}

// The first of a content wins.
void add(TokenizerFiles& files, AddedToken token) {
  for (const auto& known : files.added)
    if (known.content == token.content) return;
  files.added.push_back(std::move(token));
}

// A model whose name is the dictionary key "<id>" (added_tokens_decoder).
void read_added_tokens_decoder(TokenizerFiles& files, const Json& config, const std::string& where) {
  const auto found = config.find("added_tokens_decoder");
  if (found == config.end() || !found->is_object()) return;
  for (const auto& [key, value] : found->items()) {
    auto token = added_token(value, where);
    check(!key.empty() && key.size() < 10 && std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; }),
          ErrorKind::file_format, "[{}] added_tokens_decoder: got the id \"{}\", expected a number", where, key);
    token.id = std::stoll(key);
    add(files, std::move(token));
  }
}

// Special tokens as tokenizer_config.json or special_tokens_map.json say them; `config` wins over `map`.
void read_special_tokens(TokenizerFiles& files, const Json& config, const Json& map, const std::string& where) {
  const std::pair<const char*, std::string*> specials[] = {
      {"bos_token", &files.bos}, {"eos_token", &files.eos}, {"unk_token", &files.unknown}, {"pad_token", &files.pad}};
  for (const auto& [key, content] : specials) {
    AddedToken token{*content};
    for (const Json* source : {&config, &map}) {
      const auto found = source->find(key);
      if (found == source->end() || found->is_null()) continue;
      token = added_token(*found, where);
      break;
    }
    *content = token.content;
    add(files, std::move(token));
  }
  // Absurdly large where transformers knows no limit.
  const auto length = config.find("model_max_length");
  if (length != config.end() && json_holds<int64_t>(*length) && length->get<int64_t>() <= 100000)
    files.max_length = length->get<int64_t>();
  check(files.max_length >= 3, ErrorKind::file_format, "[{}] model_max_length: got {}, expected at least 3", where,
        files.max_length);
}

void read_tokenizer_json(TokenizerFiles& files, const fs::path& path) {
  const auto where = path.string();
  const Json root = read_json_file(path);
  check(root.is_object() && root.contains("model") && root["model"].is_object() && root["model"].contains("vocab"),
        ErrorKind::file_format, "[{}] has no model with a vocab, expected a CLIP tokenizer", where);
  const auto& model = root["model"];
  const auto suffix = get_or<std::string>(model, "end_of_word_suffix", "", where);
  check(get_or<std::string>(model, "type", "BPE", where) == "BPE" && suffix == word_end, ErrorKind::file_format,
        "[{}] got a {} model with word end \"{}\", expected CLIP's BPE with \"</w>\"", where,
        get_or<std::string>(model, "type", "BPE", where), suffix);
  files.pieces = pieces_from(model["vocab"], where);
  const auto merges = model.value("merges", Json::array());
  check(merges.is_array(), ErrorKind::file_format, "[{}] merges: got {}, expected a list", where, json_excerpt(merges));
  for (const auto& merge : merges) {
    if (merge.is_string()) {
      files.merges.push_back(merge_of(merge.get_ref<const std::string&>(), where));
      continue;
    }
    check(json_holds<std::vector<std::string>>(merge) && merge.size() == 2, ErrorKind::file_format,
          "[{}] got the merge {}, expected two tokens", where, json_excerpt(merge));
    files.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
  }
  for (const auto& value : root.value("added_tokens", Json::array())) {
    auto token = added_token(value, where);
    token.id = get<int64_t>(value, "id", where);
    add(files, std::move(token));
  }
}

Json object_or_empty(const fs::path& path) {
  if (!fs::exists(path)) return Json::object();
  Json value = read_json_file(path);
  check(value.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", path.string(), json_excerpt(value));
  return value;
}

}  // namespace

TokenizerFiles read_tokenizer_files(const fs::path& folder) {
  TokenizerFiles files;
  files.where = folder.string();
  const auto whole = folder / "tokenizer.json", vocabulary = folder / names::vocabulary, merges = folder / names::merges;
  check(fs::exists(whole) || fs::exists(merges), ErrorKind::input,
        "[tokenizer] {} has neither tokenizer.json nor merges.txt; is this the tokenizer folder of a CLIP model?", files.where);
  const Json config = object_or_empty(folder / names::tokenizer_config);
  const bool single = fs::exists(whole);
  if (single)
    read_tokenizer_json(files, whole);
  else
    files.merges = read_merges(merges);
  read_added_tokens_decoder(files, config, (folder / names::tokenizer_config).string());
  read_special_tokens(files, config, object_or_empty(folder / "special_tokens_map.json"), files.where);
  if (!single) {
    files.pieces = fs::exists(vocabulary) ? pieces_from(read_json_file(vocabulary), vocabulary.string())
                                          : vocabulary_of_merges(files.merges, files.bos, files.eos);
    const Json more = object_or_empty(folder / "added_tokens.json");
    for (const auto& [content, id] : more.items()) {
      check(json_holds<int64_t>(id), ErrorKind::file_format, "[{}] added_tokens.json: got {}, expected an id", files.where,
            json_excerpt(id));
      add(files, {content, id.get<int64_t>(), true});
    }
  }
  return files;
}

}  // namespace negativa
