#include "studio_program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace negativa::test {

using namespace std::chrono_literals;

StudioProgram::StudioProgram(std::vector<std::string> more) : more_(std::move(more)) {
  start();
  const Answer page = client_->get("/?token=" + token_);
  EXPECT_EQ(page.status, 200);
  const std::string set = page.headers.count("set-cookie") ? page.headers.at("set-cookie") : "";
  cookie_ = "Cookie: " + set.substr(0, set.find(';'));
  client_.emplace(port_);  // one that keeps no cookie: it is told its own
}

StudioProgram::~StudioProgram() {
  ::kill(child_, SIGKILL);
  exit_code_of(child_);
}

void StudioProgram::start() {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  child_ = ::fork();
  if (child_ == 0) {
    ::setenv("XDG_CACHE_HOME", (place_ / "cache").c_str(), 1);
    ::setenv("NEGATIVA_MODELS", (place_ / "models").c_str(), 1);
    ::dup2(ends[1], STDOUT_FILENO);
    if (!more_.empty()) ::dup2(::open((place_ / "stderr").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
    const std::string library = place_ / "library";
    std::vector<const char*> words = {"negativa", "studio", "--port", "0", "--library", library.c_str()};
    for (const auto& word : more_) words.push_back(word.c_str());
    words.push_back(nullptr);
    ::execv(NEGATIVA_PROGRAM, const_cast<char* const*>(words.data()));
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string line;
  for (char c; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
  ::close(ends[0]);
  const std::string head = "http://127.0.0.1:", middle = "/?token=";
  const size_t slash = line.find(middle);
  ASSERT_TRUE(line.starts_with(head) && slash != std::string::npos) << "the studio printed: " << line;
  port_ = static_cast<uint16_t>(std::stoi(line.substr(head.size(), slash - head.size())));
  token_ = line.substr(slash + middle.size());
  client_.emplace(port_);
}

void StudioProgram::kill() { ::kill(child_, SIGKILL); }

void StudioProgram::kill_and_restart() {
  kill();
  exit_code_of(child_);
  start();
}

void StudioProgram::restart_with(const std::vector<std::string>& more) {
  more_ = more;
  kill_and_restart();
}

std::string StudioProgram::tools_token() const { return parse_json(place_.read("library/access.json"), "access")["tools_token"]; }

int StudioProgram::interrupt_and_restart() {
  ::kill(child_, SIGINT);
  const int code = exit_code_of(child_);
  start();
  return code;
}

Answer StudioProgram::post(const std::string& path, const std::string& body) {
  return client_->send("POST", "/api/v1/" + path, {cookie_, "Content-Type: application/json"}, body);
}

Answer StudioProgram::send(const std::string& method, const std::string& path, const std::string& content_type,
                           const std::string& body) {
  std::vector<std::string> headers = {cookie_};
  if (!content_type.empty()) headers.push_back("Content-Type: " + content_type);
  return client_->send(method, "/api/v1/" + path, headers, body);
}

std::unique_ptr<RawClient> StudioProgram::stream(const std::string& more) {
  auto client = std::make_unique<RawClient>(port_);
  client->send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + cookie_ + "\r\n" + more + "\r\n");
  return client;
}

Json StudioProgram::get(const std::string& path) {
  const Answer answer = client_->get("/api/v1/" + path, {cookie_});
  EXPECT_EQ(answer.status, 200) << path << ": " << answer.body;
  return parse_json(answer.body, path);
}

uint64_t StudioProgram::submit(const std::string& verb, const Json& options) {
  const Answer answer = post("jobs/" + verb, options.dump());
  EXPECT_EQ(answer.status, 201) << answer.body;
  return answer.status == 201 ? parse_json(answer.body, "job")["id"].get<uint64_t>() : 0;
}

std::string StudioProgram::events_until(const std::string& end, const std::function<void()>& meanwhile) {
  RawClient stream(port_);
  stream.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n" + cookie_ + "\r\n\r\n");
  const std::string head = stream.receive("retry: ");
  meanwhile();
  return head + stream.receive(end);
}

Json StudioProgram::job_when_over(uint64_t id) {
  Json job;
  for (int i = 0; i < 3000; ++i) {
    job = get("jobs/" + std::to_string(id));
    if (!job["ended_ms"].is_null()) break;
    std::this_thread::sleep_for(20ms);
  }
  return job;
}

}  // namespace negativa::test
