#include "sdapi_png_info.h"

#include <algorithm>

#include "base/json.h"
#include "base/names.h"
#include "image/image.h"
#include "image/infotext.h"
#include "image/picture_kind.h"
#include "web/base64.h"

namespace negativa::studio {

namespace {

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

}  // namespace

Json parsed_infotext(const std::string& text) {
  if (text.empty()) return Json::object();
  const Infotext read = read_infotext(text);
  Json parameters = {{"Prompt", read.prompt}, {"Negative prompt", read.negative_prompt}};
  for (const auto& [name, value] : read.settings) put(parameters, name, value);
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
