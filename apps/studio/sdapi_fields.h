#pragma once
// The fields that clients of AUTOMATIC1111's webui send, and which of them are done here. Source of names, types and defaults:
// stable-diffusion-webui modules/api/models.py and modules/processing.py. No value of a field that is not done leaves these
// functions: clients send passwords in bodies.
#include <span>
#include <string>
#include <vector>

#include "base/json_fwd.h"

namespace negativa::studio {

enum class SdType { text, integer, number, boolean, list, object };

struct SdField {
  const char* name;
  SdType type;
  bool done = false;
  const char* asks_nothing = "[]";  // JSON list: values that ask for nothing, besides null
  const char* within = "";          // the field asks for something only where this one does; empty: always
};

std::span<const SdField> sd_drawing_fields();  // of txt2img
std::span<const SdField> sd_option_fields();   // of options and override_settings

// Throws ErrorKind::input, naming the field and not its value, for one of another type; null is of every type.
void check_types(const Json& body, std::span<const SdField> fields);

// What the client asked for that is not done: names of fields that ask for something, then names that are not known at all, each
// behind `prefix`. Names that could break a header are told by their length, and of many the first are named.
std::vector<std::string> not_honoured(const Json& body, std::span<const SdField> fields, const std::string& prefix = "");

// body[name], or null: JSON's and where there is none.
const Json& sd_value(const Json& body, const std::string& name);

// The request's body as an object. Throws ErrorKind::input without showing a byte of it.
Json sd_object(const std::string& body);

}  // namespace negativa::studio
