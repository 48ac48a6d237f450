#include "sdapi_png_info.h"

#include <algorithm>

#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "image/image.h"
#include "image/picture_kind.h"
#include "web/base64.h"

namespace negativa::studio {

namespace {

// The end of a value that begins at `at`: a quoted text, an object in braces, or all up to the next comma.
size_t end_of_value(const std::string& line, size_t at) {
  const char first = at < line.size() ? line[at] : ',';
  if (first != '"' && first != '{') return std::min(line.find(',', at), line.size());
  int depth = 0;
  bool quoted = false;
  for (size_t i = at; i < line.size(); ++i) {
    if (quoted && line[i] == '\\')
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted && (line[i] == '{' || line[i] == '}'))
      depth += line[i] == '{' ? 1 : -1;
    if (!quoted && depth == 0) return i + 1;
  }
  return std::min(line.find(',', at), line.size());  // never closed: a text like any other
}

std::string unquoted(const std::string& value) {
  if (!value.starts_with('"')) return value;
  try {
    const Json text = parse_json(value, "value");
    return text.is_string() ? text.get<std::string>() : value;
  } catch (const Error&) {  // a quote that stands for itself
    return value;
  }
}

// "Steps: 20, Sampler: Euler a": in their order.
std::vector<std::pair<std::string, std::string>> settings_of(const std::string& line) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (size_t at = 0; at < line.size();) {
    const size_t colon = line.find(": ", at);
    if (colon == std::string::npos) break;
    const size_t end = end_of_value(line, colon + 2);
    const size_t begin = line.find_first_not_of(" ,", at);
    settings.emplace_back(line.substr(begin, colon - begin), unquoted(line.substr(colon + 2, end - colon - 2)));
    at = std::min(line.find(',', end), line.size() - 1) + 1;
  }
  return settings;
}

void put(Json& parameters, const std::string& name, const std::string& value) {
  const auto cross = value.find('x');
  const auto digits = [](const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  };
  if (cross != std::string::npos && digits(value.substr(0, cross)) && digits(value.substr(cross + 1))) {
    parameters[name + "-1"] = value.substr(0, cross);
    parameters[name + "-2"] = value.substr(cross + 1);
  } else {
    parameters[name] = value;
  }
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

Json parsed_infotext(const std::string& text) {
  if (text.empty()) return Json::object();
  const std::string whole = without_line_end(text);
  const auto last = whole.rfind('\n');
  const auto settings = settings_of(last == std::string::npos ? whole : whole.substr(last + 1));
  const bool has_settings = settings.size() >= 3;
  std::string prompts = !has_settings ? whole : last == std::string::npos ? "" : whole.substr(0, last);
  const std::string mark = "Negative prompt:";
  std::string negative;
  const auto at = prompts.starts_with(mark) ? 0 : prompts.find("\n" + mark);
  if (at != std::string::npos) {
    negative = prompts.substr(prompts.find(mark, at) + mark.size());
    prompts.resize(at);
  }
  Json parameters = {
      {"Prompt", without_line_end(prompts)},
      {"Negative prompt", without_line_end(negative.substr(std::min(negative.find_first_not_of(' '), negative.size())))}};
  if (has_settings)
    for (const auto& [name, value] : settings) put(parameters, name, value);
  return parameters;
}

Json sd_png_info(const std::string& image) {
  std::string_view text = image;
  if (text.starts_with("data:")) text.remove_prefix(std::min(text.find(',') + 1, text.size()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const auto bytes = web::bytes_from_base64(text);
  check(bytes.has_value(), ErrorKind::input, "[image in request] is not base64, expected a picture's bytes in it");
  const PictureFormat format = picture_format(*bytes);
  check(format != PictureFormat::other, ErrorKind::input, "[image in request] is {}, expected a PNG, JPEG or WebP picture",
        what_it_is(*bytes));
  std::string info;
  Json items = Json::object();
  if (format == PictureFormat::png)
    for (const auto& [key, value] : decode_png(*bytes, "image in request").text) {
      if (key == names::png_parameters)
        info = value;
      else
        items[key] = value;
    }
  return {{"info", info}, {"items", items}, {"parameters", parsed_infotext(info)}};
}

}  // namespace negativa::studio
