#include "operation.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/recipe.h"
#include "base/text.h"
#include "file_fields.h"
#include "verbs.h"

namespace negativa::studio {

namespace {

const char* use_help(FileUse use) {
  switch (use) {
    case FileUse::model:
      return "a model's name or ROOT/NAME";
    case FileUse::vae:
      return "a VAE's name or ROOT/NAME";
    case FileUse::lora:
      return "a LoRA's name or ROOT/NAME, with :WEIGHT[:BRANCH] where the option takes them";
    case FileUse::embedding:
      return "an embedding's name or ROOT/NAME, with =WORD where the option takes it";
    case FileUse::input:
      return "ROOT/NAME of a file or folder";
    case FileUse::output:
      return "a plain file name in the job's own folder";
    default:
      return "";
  }
}

Json schema_of(const Verb& verb, const Field& field) {
  const std::string type = field.type_name();
  Json schema = Json::object();
  if (field.is_list())
    schema = {{"type", "array"}, {"items", {{"type", "string"}}}};
  else if (type == "integer")
    schema = {{"type", "integer"}};
  else if (type == "number")
    schema = {{"type", "number"}};
  else if (type == "true or false")
    schema = {{"type", "boolean"}};
  else
    schema = {{"type", "string"}};
  if (field.range) {
    if (type == "integer") {
      schema["minimum"] = static_cast<int64_t>(field.range->first);
      schema["maximum"] = static_cast<int64_t>(field.range->second);
    } else {
      schema["minimum"] = field.range->first;
      schema["maximum"] = field.range->second;
    }
  }
  const bool is_unsigned =
      std::holds_alternative<uint64_t*>(field.value) || std::holds_alternative<std::optional<uint64_t>*>(field.value);
  if (type == "integer" && is_unsigned && !field.range) {
    schema["minimum"] = 0;
    schema["maximum"] = std::numeric_limits<uint64_t>::max();
  }
  if (!field.choices.empty()) schema["enum"] = field.choices;
  schema["type"] = Json::array({schema["type"], "null"});  // null: as if it were not there
  if (schema.contains("enum")) schema["enum"].push_back(nullptr);
  schema["description"] = field.help + (field.unit.empty() ? "" : " (" + field.unit + ")");
  if (const std::string help = use_help(use_of(verb, field).value_or(FileUse::none)); !help.empty())
    schema["description"] = schema["description"].get<std::string>() + "; " + help;
  if (!field.default_text.empty() && !field.is_list()) {
    if (type == "integer" || type == "number" || type == "true or false")
      schema["default"] = Json::parse(field.default_text);
    else
      schema["default"] = field.default_text;
  }
  return schema;
}

Json error_answer(const char* description) {
  return {{"description", description},
          {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
}

Json document_of(const Operation& operation) {
  Json document = {{"summary", operation.summary}, {"responses", Json::object()}};
  std::string id = ascii_lower(operation.route.method);
  for (const char c : operation.route.pattern.substr(7)) id += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  document["operationId"] = id;
  for (const auto& parameter : operation.parameters)
    document["parameters"].push_back({{"name", parameter.name},
                                      {"in", parameter.in},
                                      {"required", parameter.in == "path"},
                                      {"description", parameter.help},
                                      {"schema", Json::parse(parameter.schema)}});
  if (!operation.body_type.empty()) {
    const Json schema = Json::parse(operation.body_schema.empty() ? "{}" : operation.body_schema);
    document["requestBody"] = {{"required", true}, {"content", {{operation.body_type, {{"schema", schema}}}}}};
  }
  auto& answers = document["responses"];
  answers[std::to_string(operation.success)] = {
      {"description", "done"}, {"content", {{operation.answer_type, {{"schema", Json::parse(operation.answer_schema)}}}}}};
  answers["4XX"] = error_answer("what was asked is wrong or not there; one line says what");
  answers["5XX"] = error_answer("the machine failed, or is too busy");
  return document;
}

}  // namespace

Json schema_of_fields(const std::string& verb_name) {
  const Verb& verb = *find_verb(verb_name);
  const auto request = verb.make();
  Json schema = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  for (const auto& field : request->fields()) {
    const auto use = use_of(verb, field);
    if (!use || *use == FileUse::refused) continue;
    if (*use == FileUse::output && (verb.name == "generate" || verb.name == "compare") && field.name == "out") continue;
    schema["properties"][field.name] = schema_of(verb, field);
  }
  return schema;
}

Json openapi_of(const std::vector<Operation>& operations) {
  const Json error_schema = {
      {"type", "object"},
      {"required", {"error"}},
      {"properties",
       {{"error",
         {{"type", "object"},
          {"required", {"kind", "message"}},
          {"properties",
           {{"kind", {{"type", "string"}}}, {"message", {{"type", "string"}}}, {"field", {{"type", "string"}}}}}}}}}};
  Json document = {
      {"openapi", "3.1.0"},
      {"info", {{"title", "negativa studio"}, {"version", Recipe::default_program_version()}}},
      {"components",
       {{"schemas", {{"Error", error_schema}}}, {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
      {"security", Json::array({{{"token", Json::array()}}})},
      {"paths", Json::object()}};
  for (const auto& operation : operations) {
    std::string path = operation.route.pattern;
    if (const auto star = path.find("*}"); star != std::string::npos) path.erase(star, 1);
    document["paths"][path][ascii_lower(operation.route.method)] = document_of(operation);
  }
  return document;
}

int64_t integer_of(const web::Request& request, const std::string& name, int64_t fallback, int64_t low, int64_t high) {
  const auto found = request.target.query.find(name);
  if (found == request.target.query.end()) return fallback;
  int64_t value = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size() && value >= low && value <= high, ErrorKind::input,
        "[{} in request] got {}, expected an integer in {}..{}", name, json_excerpt(text), low, high);
  return value;
}

std::string text_of(const web::Request& request, const std::string& name) {
  const auto found = request.target.query.find(name);
  return found == request.target.query.end() ? "" : found->second;
}

void check_parameters(const web::Request& request, const std::vector<std::string>& known) {
  for (const auto& [name, value] : request.target.query)
    check(std::find(known.begin(), known.end(), name) != known.end(), ErrorKind::input,
          "[request] has the unknown parameter {}{}", json_excerpt(name), did_you_mean(name, known));
}

Json object_of_body(const web::Request& request) {
  const std::string* type = request.header("content-type");
  check(type && ascii_lower(type->substr(0, type->find(';'))) == "application/json", ErrorKind::input,
        "[request] has no JSON, expected Content-Type: application/json");
  Json object = parse_json(request.body, "request");
  check(object.is_object(), ErrorKind::input, "[request] got {}, expected an object", json_excerpt(object));
  return object;
}

}  // namespace negativa::studio
