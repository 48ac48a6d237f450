#pragma once
// An address of /api/v1 with what describes it: one list makes the routes and the OpenAPI document.
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "web/router.h"

namespace negativa::studio {

struct Parameter {
  std::string name, in;  // in: "path" or "query"
  std::string help;
  std::string schema;  // JSON text of a JSON Schema
};

struct Operation {
  web::Route route;
  std::string summary;
  std::vector<Parameter> parameters = {};
  std::string body_type = {};    // "application/json", "application/octet-stream"; empty: no body is taken
  std::string body_schema = {};  // JSON text
  int success = 200;
  std::string answer_type = "application/json";
  std::string answer_schema = "{}";  // JSON text
};

// The setting's values as a JSON Schema; `file_use`: what it may name, for the description.
Json schema_of_fields(const std::string& verb_name);

// OpenAPI 3.1 of these operations.
Json openapi_of(const std::vector<Operation>& operations);

// Of a query: throw ErrorKind::input naming the parameter.
int64_t integer_of(const web::Request& request, const std::string& name, int64_t fallback, int64_t low, int64_t high);
std::string text_of(const web::Request& request, const std::string& name);
// Throws ErrorKind::input for a parameter that the address does not know.
void check_parameters(const web::Request& request, const std::vector<std::string>& known);
// The request's body as a JSON object. Throws ErrorKind::input.
Json object_of_body(const web::Request& request);

}  // namespace negativa::studio
