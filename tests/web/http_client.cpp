#include "http_client.h"

#include <fmt/format.h>

namespace negativa::test {

namespace {

size_t append(char* bytes, size_t size, size_t count, void* text) {
  static_cast<std::string*>(text)->append(bytes, size * count);
  return size * count;
}

}  // namespace

HttpClient::HttpClient(uint16_t port) : curl_(curl_easy_init()), port_(port), shown_port_(port) {
  curl_easy_setopt(curl_.get(), CURLOPT_COOKIEFILE, "");  // keeps cookies in memory
}

void HttpClient::call_it(const std::string& host) {
  host_ = host;
  detour_.reset(curl_slist_append(nullptr, fmt::format("{}:{}:127.0.0.1:{}", host_, shown_port_, port_).c_str()));
}

void HttpClient::tunnel_from(uint16_t port) {
  shown_port_ = port;
  call_it(host_);
}

Answer HttpClient::send(const std::string& method, const std::string& target, const std::vector<std::string>& headers,
                        const std::string& body) {
  CURL* const curl = curl_.get();
  std::unique_ptr<curl_slist, Free> list;
  for (const auto& header : headers) list.reset(curl_slist_append(list.release(), header.c_str()));
  const std::string url = fmt::format("http://{}:{}{}", host_, shown_port_, target);
  std::string head, text;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(curl, CURLOPT_CONNECT_TO, detour_.get());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);  // forgets the last request's body
  curl_easy_setopt(curl, CURLOPT_NOBODY, method == "HEAD" ? 1L : 0L);
  if (!body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
  if (curl_easy_perform(curl) != CURLE_OK) return {};
  if (const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n"; head.starts_with(go_on)) head.erase(0, go_on.size());
  return parse_answer(head + text);
}

long HttpClient::new_connections() const {
  long count = -1;
  curl_easy_getinfo(curl_.get(), CURLINFO_NUM_CONNECTS, &count);
  return count;
}

}  // namespace negativa::test
