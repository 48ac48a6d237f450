#include "client.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"

namespace negativa::test {

RawClient::RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) close();
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string RawClient::receive(std::string_view end, int quiet_ms) {
  std::string text;
  char bytes[65536];
  while (end.empty() || text.find(end) == std::string::npos) {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, quiet_ms) != 1) break;
    const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) break;
    text.append(bytes, static_cast<size_t>(got));
  }
  return text;
}

Answer parse_answer(const std::string& text) {
  Answer answer;
  const auto blank = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || blank == std::string::npos) return answer;
  answer.status = std::stoi(text.substr(9, 3));
  answer.body = text.substr(blank + 4);
  for (size_t begin = text.find("\r\n") + 2; begin < blank;) {
    const auto end = text.find("\r\n", begin);
    const auto colon = text.find(": ", begin);
    answer.headers[ascii_lower(text.substr(begin, colon - begin))] = text.substr(colon + 2, end - colon - 2);
    begin = end + 2;
  }
  return answer;
}

Answer ask(uint16_t port, const std::string& request_line, const std::string& head, const std::string& body) {
  RawClient client(port);
  std::string text = request_line + "\r\n" + head;
  if (ascii_lower(head).find("host:") == std::string::npos) text += "Host: 127.0.0.1\r\n";
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  client.send(text + "Connection: close\r\n\r\n" + body);
  return parse_answer(client.receive());
}

}  // namespace negativa::test
