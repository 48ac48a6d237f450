#include "web/message.h"

#include <map>
#include <new>

#include "base/json.h"
#include "base/text.h"

namespace negativa::web {

const std::string* Request::header(std::string_view lower_name) const {
  const std::string* found = nullptr;
  for (const auto& [name, value] : headers) {
    if (name != lower_name) continue;
    if (found) return nullptr;
    found = &value;
  }
  return found;
}

Response json_response(const Json& json, int status) {
  Response response;
  response.status = status;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

namespace {

// Of a setting that there is none of: its name, where the message has it whole and as it is.
std::string unknown_field_of(std::string_view quoted) {
  const auto end = quoted.find('"', 1);
  if (!quoted.starts_with('"') || end == std::string_view::npos) return "";
  const std::string_view name = quoted.substr(1, end - 1);
  return name.find('\\') == std::string_view::npos ? std::string(name) : "";
}

// "[steps in request] got …", "[--cfg-scale] got …" and "[request] has the unknown setting "stepz"": the setting's name.
std::string field_of(std::string_view message) {
  constexpr std::string_view unknown = "[request] has the unknown setting ";
  if (message.starts_with(unknown)) return unknown_field_of(message.substr(unknown.size()));
  if (!message.starts_with('[')) return "";
  const auto end = message.find(']');
  if (end == std::string_view::npos) return "";
  std::string_view place = message.substr(1, end - 1);
  if (const auto in = place.find(" in "); in != std::string_view::npos) return std::string(place.substr(0, in));
  if (!place.starts_with("--")) return "";
  std::string name(place.substr(2));
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::machine:
      return 500;  // a device that was asked for and is not there is the request's fault
    case ErrorKind::cancelled:
      return 409;
    default:
      return 400;
  }
}

}  // namespace

Response error_response(int status, std::string_view kind, std::string_view message) {
  Json error = {{"kind", kind}, {"message", valid_utf8(message)}};
  if (const auto field = field_of(message); !field.empty()) error["field"] = field;
  return json_response({{"error", error}}, status);
}

Response error_response_of_current_exception() {
  try {
    throw;
  } catch (const Error& error) {
    return error_response(status_of(error.kind()), kind_name(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return error_response(500, "machine", "out of memory; try a smaller picture, batch or model");
  } catch (const std::exception& error) {
    const std::string_view text = error.what();  // libraries append stack traces; the first line says it
    return error_response(500, "machine", text.substr(0, text.find('\n')));
  }
}

std::string kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::input:
      return "input";
    case ErrorKind::file_format:
      return "file_format";
    case ErrorKind::missing_key:
      return "missing_key";
    case ErrorKind::shape:
      return "shape";
    case ErrorKind::device:
      return "device";
    case ErrorKind::machine:
      return "machine";
    case ErrorKind::cancelled:
      return "cancelled";
  }
  return "";
}

std::string reason_phrase(int status) {
  static const std::map<int, std::string> phrases = {{200, "OK"},
                                                     {201, "Created"},
                                                     {202, "Accepted"},
                                                     {204, "No Content"},
                                                     {304, "Not Modified"},
                                                     {400, "Bad Request"},
                                                     {401, "Unauthorized"},
                                                     {403, "Forbidden"},
                                                     {404, "Not Found"},
                                                     {405, "Method Not Allowed"},
                                                     {408, "Request Timeout"},
                                                     {409, "Conflict"},
                                                     {411, "Length Required"},
                                                     {413, "Content Too Large"},
                                                     {415, "Unsupported Media Type"},
                                                     {417, "Expectation Failed"},
                                                     {422, "Unprocessable Content"},
                                                     {431, "Request Header Fields Too Large"},
                                                     {500, "Internal Server Error"},
                                                     {501, "Not Implemented"},
                                                     {503, "Service Unavailable"}};
  const auto found = phrases.find(status);
  return found == phrases.end() ? "Status" : found->second;
}

}  // namespace negativa::web
