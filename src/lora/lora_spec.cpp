#include "lora/lora_spec.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file_names.h"

namespace negativa {

namespace {

// A name that no system could store is not there either.
bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return !path.empty() && std::filesystem::exists(path, ignored);
}

std::optional<LoraBranch> branch_from_name(const std::string& name) {
  for (const auto branch : {LoraBranch::both, LoraBranch::negative, LoraBranch::positive})
    if (name == branch_name(branch)) return branch;
  return {};
}

std::optional<double> number(const std::string& text) {
  const char* begin = text.c_str() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.c_str() + text.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end || begin == end) return {};
  return value;
}

// "a:b:c" -> ("a:b", "c"); without ':' the second is empty.
std::pair<std::string, std::string> split_last(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return {text, ""};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

LoraSpec parse(const std::string& text, const std::string& where) {
  const auto [before, last] = split_last(text);
  if (before == text) return {text, 1, LoraBranch::both};
  if (const auto weight = number(last)) return {before, *weight, LoraBranch::both};
  const auto [path, middle] = split_last(before);
  const auto weight = number(middle);
  if (const auto branch = branch_from_name(last)) {
    check(weight.has_value(), ErrorKind::input, "[{}] got \"{}\", expected FILE:WEIGHT:BRANCH; write {}:1:{}", where, text,
          before, last);
    return {path, *weight, *branch};
  }
  check(!weight, ErrorKind::input, "[{}] got branch \"{}\", expected both, negative or positive", where, last);
  check(!is_there(stored_path(before)), ErrorKind::input, "[{}] got weight \"{}\" for {}, expected a number", where, last,
        before);
  return {text, 1, LoraBranch::both};
}

}  // namespace

std::string branch_name(LoraBranch branch) {
  switch (branch) {
    case LoraBranch::both:
      return "both";
    case LoraBranch::negative:
      return "negative";
    case LoraBranch::positive:
      break;
  }
  return "positive";
}

LoraSpec parse_lora_spec(const std::string& text, const std::string& where) {
  if (const auto whole = stored_path(text); is_there(whole)) return {whole, 1, LoraBranch::both};
  LoraSpec spec = parse(text, where);
  spec.path = stored_path(spec.path);
  check(!spec.path.empty(), ErrorKind::input, "[{}] got \"{}\", expected FILE[:WEIGHT[:BRANCH]]", where, text);
  check(std::isfinite(spec.weight), ErrorKind::input, "[{}] got weight {} for {}, expected a finite number", where, spec.weight,
        spec.path.string());
  return spec;
}

LoraSpec parse_weighted_lora(const std::string& text, const std::string& where) {
  LoraSpec spec = parse_lora_spec(text, where);
  check(spec.branch == LoraBranch::both, ErrorKind::input,
        "[{}] got \"{}\", expected FILE[:WEIGHT]: weights that are added to others act on both branches; only --lora of generate "
        "keeps them apart",
        where, text);
  return spec;
}

}  // namespace negativa
