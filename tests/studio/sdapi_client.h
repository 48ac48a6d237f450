#pragma once
// A client of the webui's API.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "studio_program.h"
#include "web/base64.h"

namespace negativa::test {

// A client with the token, and answers that it has had.
class SdClient {
 public:
  explicit SdClient(const StudioProgram& studio)
      : http_(studio.port()), port_(studio.port()), bearer_("Authorization: Bearer " + studio.tools_token()) {}

  Answer get(const std::string& name) { return http_.get("/sdapi/v1/" + name, {bearer_}); }
  Json list(const std::string& name) {
    const Answer answer = get(name);
    EXPECT_EQ(answer.status, 200) << name << ": " << answer.body;
    return parse_json(answer.body, name);
  }
  Answer post(const std::string& name, const std::string& body) {
    return http_.send("POST", "/sdapi/v1/" + name, {bearer_, "Content-Type: application/json"}, body);
  }
  Answer draw(const Json& body) { return post("txt2img", body.dump()); }
  // A connection of its own, on which the answer is still to come.
  std::unique_ptr<RawClient> ask_on_its_own(const Json& body) const {
    auto client = std::make_unique<RawClient>(port_);
    const std::string text = body.dump();
    client->send("POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(text.size()) + "\r\n" + bearer_ + "\r\n\r\n" + text);
    return client;
  }
  Json progress_when(const std::function<bool(const Json&)>& done) {
    Json progress;
    for (int i = 0; i < 1000 && !done(progress = list("progress")); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return progress;
  }

 private:
  HttpClient http_;
  uint16_t port_;
  std::string bearer_;
};

// Of an answer of txt2img.
inline Json info_of(const Answer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.status == 200 ? parse_json(parse_json(answer.body, "answer")["info"].get<std::string>(), "info") : Json();
}

inline std::string image_of(const Answer& answer, size_t i = 0) {
  return web::bytes_from_base64(parse_json(answer.body, "answer")["images"].at(i).get<std::string>()).value();
}

}  // namespace negativa::test
