#pragma once
// A client that behaves as browsers and programs do, by libcurl: it keeps its connection and its cookies.
#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "client.h"

namespace negativa::test {

class HttpClient {
 public:
  explicit HttpClient(uint16_t port);

  // target: "/path?query", sent as it is. headers: "Name: value"; "Name:" leaves one out that libcurl would send.
  // Status 0: no answer came.
  Answer send(const std::string& method, const std::string& target, const std::vector<std::string>& headers = {},
              const std::string& body = "");
  Answer get(const std::string& target, const std::vector<std::string>& headers = {}) { return send("GET", target, headers); }

  // As if DNS said that `host` is 127.0.0.1: the name stands in the URL, in Host and in the cookies.
  void call_it(const std::string& host);
  // The URL says that port; the connection goes to the server's, as through ssh -L.
  void tunnel_from(uint16_t port);
  // Of the last request: 0 where it went over the connection that was open.
  long new_connections() const;

 private:
  struct Free {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  std::unique_ptr<CURL, Free> curl_;
  std::unique_ptr<curl_slist, Free> detour_;
  uint16_t port_, shown_port_;
  std::string host_ = "127.0.0.1";
};

}  // namespace negativa::test
