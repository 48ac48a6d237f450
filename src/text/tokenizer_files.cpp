#include "text/tokenizer_files.h"

#include <algorithm>
#include <optional>

#include "base/config_reader.h"
#include "base/files.h"
#include "base/names.h"
#include "text/unicode.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

ConfigReader read_config(const fs::path& path) { return ConfigReader::of(read_json_file(path), path.string()); }
ConfigReader read_config_if_there(const fs::path& path) {
  return fs::exists(path) ? read_config(path) : ConfigReader::of(Json::object(), path.string());
}

int64_t id_of(const ConfigReader& ids, const std::string& token) {
  ids.check(json_holds<int64_t>(ids.value(token)), token, "an id");
  return ids.value(token).get<int64_t>();
}

// An object of token: id.
std::vector<std::string> pieces_from(const ConfigReader& vocabulary) {
  const auto count = static_cast<int64_t>(vocabulary.json().size());
  check(count > 0, ErrorKind::file_format, "[{}] got an empty vocabulary, expected an object of token: id", vocabulary.where());
  std::vector<std::string> pieces(count);
  std::vector<bool> seen(count, false);
  for (const auto& [piece, value] : vocabulary.json().items()) {
    const int64_t id = id_of(vocabulary, piece);
    vocabulary.check(id >= 0 && id < count && !seen[id], piece, "each of 0 to {} once", count - 1);
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

AddedToken added_token(const ConfigReader& value) {
  AddedToken token{value.need<std::string>("content")};
  value.read("normalized", token.normalized);
  for (const char* flag : {"lstrip", "rstrip", "single_word"})
    value.check(!value.get(flag, false), flag, "false: no CLIP tokenizer has a token with it, as \"{}\" here", token.content);
  return token;
}

// A string, or an object as above.
AddedToken added_token(const ConfigReader& config, const std::string& key) {
  if (config.value(key).is_string()) return {config.need<std::string>(key)};
  config.check(config.value(key).is_object(), key, "a string or an object with its content");
  return added_token(config.object(key));
}

// The first of a content wins.
void add(TokenizerFiles& files, AddedToken token) {
  for (const auto& known : files.added)
    if (known.content == token.content) return;
  files.added.push_back(std::move(token));
}

// Each token is named by its id.
void read_added_tokens_decoder(TokenizerFiles& files, const ConfigReader& config) {
  const auto tokens = config.object("added_tokens_decoder");
  for (const auto& [id, value] : tokens.json().items()) {
    auto token = added_token(tokens, id);
    check(!id.empty() && id.size() < 10 && std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; }),
          ErrorKind::file_format, "[{}] \"added_tokens_decoder\": got the id \"{}\", expected a number", config.where(), id);
    token.id = std::stoll(id);
    add(files, std::move(token));
  }
}

// Special tokens as tokenizer_config.json or special_tokens_map.json say them; `config` wins over `map`.
void read_special_tokens(TokenizerFiles& files, const ConfigReader& config, const ConfigReader& map) {
  const std::pair<const char*, std::string*> specials[] = {
      {"bos_token", &files.bos}, {"eos_token", &files.eos}, {"unk_token", &files.unknown}, {"pad_token", &files.pad}};
  for (const auto& [key, content] : specials) {
    AddedToken token{*content};
    if (config.has(key))
      token = added_token(config, key);
    else if (map.has(key))
      token = added_token(map, key);
    *content = token.content;
    add(files, std::move(token));
  }
  // Absurdly large, and a float then, where transformers knows no limit.
  const auto length = config.get("model_max_length", static_cast<double>(files.max_length));
  config.check(length >= 3, "model_max_length", "at least 3");
  if (length <= 100000) files.max_length = config.get("model_max_length", files.max_length);
}

Merge merge_in_json(const Json& merge, const std::string& where) {
  if (merge.is_string()) return merge_of(merge.get_ref<const std::string&>(), where);
  check(json_holds<std::vector<std::string>>(merge) && merge.size() == 2, ErrorKind::file_format,
        "[{}] \"model.merges\": got the merge {}, expected two tokens", where, json_excerpt(merge));
  return {merge[0].get<std::string>(), merge[1].get<std::string>()};
}

void read_tokenizer_json(TokenizerFiles& files, const fs::path& path) {
  const ConfigReader root = read_config(path);
  root.require("model", "an object with a vocab: a CLIP tokenizer");
  const ConfigReader model = root.object("model");
  model.require("vocab", "an object of token: id");
  model.check(model.get<std::string>("type", "BPE") == "BPE", "type", "\"BPE\"");
  model.check(model.get<std::string>("end_of_word_suffix", "") == word_end, "end_of_word_suffix", "CLIP's \"{}\"", word_end);
  files.pieces = pieces_from(model.object("vocab"));
  model.check(!model.has("merges") || model.value("merges").is_array(), "merges", "a list");
  for (const auto& merge : model.value("merges")) files.merges.push_back(merge_in_json(merge, root.where()));
  for (const auto& value : root.objects("added_tokens")) {
    auto token = added_token(value);
    token.id = value.need<int64_t>("id");
    add(files, std::move(token));
  }
}

}  // namespace

TokenizerFiles read_tokenizer_files(const fs::path& folder) {
  TokenizerFiles files;
  files.where = folder.string();
  const auto whole = folder / "tokenizer.json", vocabulary = folder / names::vocabulary, merges = folder / names::merges;
  check(fs::exists(whole) || fs::exists(merges), ErrorKind::input,
        "[tokenizer] {} has neither tokenizer.json nor merges.txt; is this the tokenizer folder of a CLIP model?", files.where);
  const ConfigReader config = read_config_if_there(folder / names::tokenizer_config);
  const bool single = fs::exists(whole);
  if (single)
    read_tokenizer_json(files, whole);
  else
    files.merges = read_merges(merges);
  read_added_tokens_decoder(files, config);
  read_special_tokens(files, config, read_config_if_there(folder / "special_tokens_map.json"));
  if (single) return files;
  files.pieces =
      fs::exists(vocabulary) ? pieces_from(read_config(vocabulary)) : vocabulary_of_merges(files.merges, files.bos, files.eos);
  const ConfigReader more = read_config_if_there(folder / "added_tokens.json");
  for (const auto& [content, value] : more.json().items()) add(files, {content, id_of(more, content), true});
  return files;
}

}  // namespace negativa
