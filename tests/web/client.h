#pragma once
// A client that writes what it is told to, right or wrong.
#include <map>
#include <string>
#include <string_view>

namespace negativa::test {

// A connection to 127.0.0.1.
class RawClient {
 public:
  explicit RawClient(uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  bool send(std::string_view bytes);  // false: the other side has closed
  // What comes until the connection is closed, `end` is read, or nothing came for so long.
  std::string receive(std::string_view end = "", int quiet_ms = 3000);
  void close();

 private:
  int fd_;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

Answer parse_answer(const std::string& text);

// One request on a connection of its own. `head`: lines after the request line, each with its "\r\n"; Host is added unless
// there is one, and Content-Length where there is a body.
Answer ask(uint16_t port, const std::string& request_line, const std::string& head = "", const std::string& body = "");

}  // namespace negativa::test
