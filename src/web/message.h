#pragma once
// A request and its answer as handlers see them; nothing of sockets.
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json_fwd.h"
#include "web/target.h"

namespace negativa::web {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;  // "GET"
  Target target;
  Headers headers;                              // names in lower case, in order
  std::string body;                             // empty where it was written to a file
  std::filesystem::path body_file;              // of an upload: a temporary file, removed after the answer unless it is moved
  std::map<std::string, std::string> wildcard;  // what {NAME} of the route's pattern stands for
  std::vector<std::string> tail;                // likewise {NAME*}, at its end
  std::shared_ptr<CancelToken> gone = std::make_shared<CancelToken>();  // cancelled when the client closes its connection

  // The only header of that name; nullptr: none, or several.
  const std::string* header(std::string_view lower_name) const;
  const std::string& wild(const std::string& name) const { return wildcard.at(name); }
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::filesystem::path file = {};  // sent instead of `body`
  Headers headers = {};             // one of safety_headers() takes its place
  bool closes = false;              // the connection ends with it
  bool is_event_stream = false;
};

using Reply = std::function<void(Response)>;  // from any thread, once; a client that is gone hears nothing

Response json_response(const Json& json, int status = 200);

// {"error": {"kind", "message", "field"}}: one line, as the command line says it. `field` is the setting that the message is
// about, where it begins with one.
Response error_response(int status, std::string_view kind, std::string_view message);
// Of whatever is in flight inside a catch block: 4xx for what was given, 5xx for what the machine did.
Response error_response_of_current_exception();

std::string kind_name(ErrorKind kind);
std::string reason_phrase(int status);

}  // namespace negativa::web
