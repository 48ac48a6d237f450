#include "web/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "client.h"

namespace negativa::web {

namespace {

using test::Answer;
using test::ask;
using test::RawClient;
using namespace std::chrono_literals;

// A server with a few routes; every deadline is short.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    router_.add({"GET", "/open", Access::page, answering([](const Request&) { return json_response({{"open", true}}); })});
    router_.add({"GET", "/name/{name}", Access::studio,
                 answering([](const Request& request) { return json_response(request.wild("name")); })});
    router_.add(
        {"GET", "/tail/{path*}", Access::studio, answering([](const Request& request) { return json_response(request.tail); })});
    router_.add({"POST", "/echo", Access::studio,
                 answering([](const Request& request) { return json_response(request.body.size()); }), 1000000});
    router_.add({"POST", "/upload", Access::studio,
                 answering([](const Request& request) { return json_response(std::filesystem::file_size(request.body_file)); }),
                 uint64_t{1} << 30, true});
    router_.add({"GET", "/file", Access::studio, answering([this](const Request&) {
                   Response response;
                   response.file = folder_ / "file";
                   return response;
                 })});
    router_.add({"GET", "/fails", Access::studio, answering([](const Request&) -> Response {
                   fail(ErrorKind::input, "[steps in request] got 0, expected more");
                 })});
    router_.add({"GET", "/twice", Access::studio, [](const std::shared_ptr<const Request>&, const Reply& reply) {
                   reply(json_response("once"));
                   std::this_thread::sleep_for(2ms);
                   fail(ErrorKind::input, "again");
                 }});
    router_.add({"GET", "/later", Access::studio, [this](const std::shared_ptr<const Request>& request, const Reply& reply) {
                   waiting_ = request->gone;
                   late_ = reply;
                   is_waiting_ = true;
                 }});
    router_.add({"GET", "/events", Access::studio, answering([](const Request&) {
                   Response response;
                   response.content_type = "text/event-stream";
                   response.is_event_stream = true;
                   return response;
                 })});
    ServerSettings settings;
    settings.gate = {"negativa-x", "cookie", "token", "", {}};
    settings.uploads = folder_.path();
    settings.deadline = 200ms;
    settings.heartbeat = 100ms;
    settings.streams = 2;
    server_ = std::make_unique<Server>(settings, router_, events_);
  }

  Answer get(const std::string& target) { return ask(server_->port(), "GET " + target + " HTTP/1.1", token_); }

  const std::string token_ = "Authorization: Bearer token\r\n";
  TemporaryFolder folder_;
  Router router_;
  EventLog events_;
  std::shared_ptr<CancelToken> waiting_;
  Reply late_;
  std::atomic<bool> is_waiting_ = false;
  std::unique_ptr<Server> server_;
};

}  // namespace

TEST_F(ServerTest, AnswersWithWhatKeepsScriptsOut) {
  const Answer answer = get("/open");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"open\":true}");
  EXPECT_TRUE(contains(answer.headers.at("content-security-policy"), "script-src 'self';"));
  EXPECT_FALSE(contains(answer.headers.at("content-security-policy"), "unsafe"));
  EXPECT_EQ(answer.headers.at("x-content-type-options"), "nosniff");
  for (const auto& [name, value] : answer.headers) EXPECT_FALSE(name.starts_with("access-control")) << name;
}

TEST_F(ServerTest, AsksForTheTokenBeforeAnythingElse) {
  const auto port = server_->port();
  EXPECT_EQ(ask(port, "GET /open HTTP/1.1").status, 401);
  EXPECT_EQ(ask(port, "GET /name/a HTTP/1.1", "Cookie: negativa-x=cookie\r\n").body, "\"a\"");
  EXPECT_EQ(ask(port, "POST /echo HTTP/1.1", "", "{}").status, 401);
  const Answer by_url = ask(port, "GET /open?token=token HTTP/1.1");
  EXPECT_EQ(by_url.status, 200);
  EXPECT_TRUE(by_url.headers.at("set-cookie").starts_with("negativa-x=cookie; "));
  EXPECT_FALSE(get("/open").headers.contains("set-cookie"));
  EXPECT_EQ(ask(port, "GET /open HTTP/1.1", token_ + "Host: evil.example\r\n").status, 403);
  EXPECT_EQ(ask(port, "GET /open HTTP/1.1", token_ + "Origin: null\r\n").status, 403);
  EXPECT_EQ(ask(port, "GET /open HTTP/1.1", token_ + "Origin: http://127.0.0.1\r\n").status, 200);
}

TEST_F(ServerTest, FindsRoutes) {
  EXPECT_EQ(get("/name/a%20b").body, "\"a b\"");
  EXPECT_EQ(get("/tail/a/b").body, "[\"a\",\"b\"]");
  EXPECT_EQ(get("/tail").status, 404);
  EXPECT_EQ(get("/name").status, 404);
  EXPECT_EQ(get("/name/a/b").status, 404);
  EXPECT_EQ(get("/tail/../secret").status, 400);
  const Answer wrong = ask(server_->port(), "DELETE /open HTTP/1.1", token_);
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("allow"), "GET");
  EXPECT_EQ(get("/fails").status, 400);
  EXPECT_TRUE(contains(get("/fails").body, "\"field\":\"steps\""));
  const Answer head = ask(server_->port(), "HEAD /open HTTP/1.1", token_);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.headers.at("content-length"), "13");
}

// Two programs that read such a request differently would see two requests.
TEST_F(ServerTest, RefusesWhatCanBeReadInTwoWays) {
  const std::string host = "Host: localhost\r\n" + token_;
  for (const std::string& text : std::vector<std::string>{
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 1, 1\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 0x1\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\na",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n",
           "GET /open HTTP/1.1\r\n" + host + "Host: localhost\r\n\r\n",
           "GET /open HTTP/1.1\r\n" + token_ + "\r\n",
           "GET /open HTTP/1.0\r\n" + host + "\r\n",
           "GET http://localhost/open HTTP/1.1\r\n" + host + "\r\n",
           "GET /open HTTP/1.1\r\n" + host + "Bad Name: 1\r\n\r\n",
           "GET  /open HTTP/1.1\r\n" + host + "\r\n",
           "GET /open HTTP/1.1\r\n" + host + "Content-Length : 3\r\n\r\nabc",
           "GET /op en HTTP/1.1\r\n" + host + "\r\n",
           "GET /open\r\n\r\n",
           "GET /open HTTP/1.1\n" + token_ + "Host: localhost\n\n",
           "GET /open HTTP/1.1\r\n" + host + "X: a" + std::string(1, '\0') + "b\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
           "POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST /echo HTTP/1.1\r\n" + host + "Transfer_Encoding: chunked\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
           "CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n",
           std::string("\x16\x03\x01\x02\x00\x01\x00", 7) + "\r\n\r\n"}) {
    RawClient client(server_->port());
    client.send(text + "GET /open HTTP/1.1\r\n" + host + "\r\n");  // which must not be answered
    const std::string answers = client.receive();
    const Answer answer = test::parse_answer(answers);
    EXPECT_TRUE(answer.status == 400 || answer.status == 403 || answer.status == 411) << answer.status << " of " << text;
    EXPECT_EQ(answer.headers.at("connection"), "close") << text;
    EXPECT_EQ(answers.rfind("HTTP/1.1 "), 0) << text;
  }
}

TEST_F(ServerTest, RefusesWhatIsTooLong) {
  EXPECT_EQ(get("/name/" + std::string(40000, 'a')).status, 431);
  EXPECT_EQ(ask(server_->port(), "GET /open HTTP/1.1", token_ + "X: " + std::string(40000, 'a') + "\r\n").status, 431);
  // Unread: the answer comes though no byte of the body was sent.
  RawClient client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + token_ + "Content-Length: 1000001\r\n\r\n");
  EXPECT_EQ(test::parse_answer(client.receive()).status, 413);
  EXPECT_EQ(ask(server_->port(), "POST /echo HTTP/1.1", token_, std::string(1000000, 'a')).body, "1000000");
}

TEST_F(ServerTest, KeepsAConnectionForSeveralRequests) {
  RawClient client(server_->port());
  const std::string request = "GET /open HTTP/1.1\r\nHost: localhost\r\n" + token_ + "\r\n";
  client.send(request + request);
  const std::string text = client.receive("true}HTTP/1.1", 1000) + client.receive("true}", 200);
  size_t count = 0;
  for (size_t at = 0; (at = text.find("{\"open\":true}", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 2);
}

TEST_F(ServerTest, ClosesSlowClientsAndServesOthersMeanwhile) {
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(std::make_unique<RawClient>(server_->port()));
    slow.back()->send(i % 2 ? "GET /open HTTP/1.1\r\nHo"
                            : "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + token_ + "Content-Length: 9\r\n\r\na");
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get("/open").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 200ms);
  for (auto& client : slow) client->receive();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 700ms);  // all were closed after 200 ms
}

TEST_F(ServerTest, WritesUploadsToAFileAndRemovesIt) {
  const size_t before = folder_.count_files();
  EXPECT_EQ(ask(server_->port(), "POST /upload HTTP/1.1", token_ + "Expect: 100-continue\r\n", "").status, 400);
  RawClient client(server_->port());
  client.send("POST /upload HTTP/1.1\r\nHost: localhost\r\n" + token_ + "Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(std::string(300000, 'a'));
  EXPECT_EQ(test::parse_answer(client.receive("300000")).body, "300000");
  client.close();
  RawClient gone(server_->port());
  gone.send("POST /upload HTTP/1.1\r\nHost: localhost\r\n" + token_ + "Content-Length: 300000\r\n\r\nabc");
  gone.close();
  for (int i = 0; i < 100 && folder_.count_files() > before; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(folder_.count_files(), before);
}

TEST_F(ServerTest, SendsFilesWhole) {
  std::string bytes(3000000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 7);
  write_atomically(folder_ / "file", bytes);
  EXPECT_EQ(get("/file").body, bytes);
  std::filesystem::remove(folder_ / "file");
  EXPECT_EQ(get("/file").status, 404);
}

TEST_F(ServerTest, ClosesAClientThatDoesNotReadItsAnswer) {
  write_atomically(folder_ / "file", std::string(16 << 20, 'x'));
  RawClient client(server_->port());
  client.send("GET /file HTTP/1.1\r\nHost: localhost\r\n" + token_ + "\r\n");
  std::this_thread::sleep_for(500ms);
  const std::string got = client.receive("", 500);  // what was on its way
  EXPECT_GT(got.size(), 0);
  EXPECT_LT(got.size(), 16 << 20);
  EXPECT_FALSE(client.send("GET /open HTTP/1.1\r\n") && client.send("\r\n"));
}

TEST_F(ServerTest, AHandlerThatThrowsAfterItsAnswerDoesNotAnswerTheNextRequest) {
  RawClient client(server_->port());
  const std::string head = " HTTP/1.1\r\nHost: localhost\r\n" + token_ + "\r\n";
  for (int i = 0; i < 20; ++i) {
    client.send("GET /twice" + head);
    EXPECT_TRUE(contains(client.receive("once\""), "\"once\""));
    client.send("GET /open" + head);
    EXPECT_EQ(test::parse_answer(client.receive("true}")).status, 200);
  }
}

TEST_F(ServerTest, TellsAHandlerThatItsClientIsGone) {
  {
    RawClient client(server_->port());
    client.send("GET /later HTTP/1.1\r\nHost: localhost\r\n" + token_ + "\r\n");
    while (!is_waiting_) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(250ms);  // longer than any deadline: a handler may take its time
    EXPECT_FALSE(waiting_->cancelled());
  }
  for (int i = 0; i < 200 && !waiting_->cancelled(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(waiting_->cancelled());
  late_(json_response(1));  // nobody hears it
  is_waiting_ = false;
  RawClient client(server_->port());
  client.send("GET /later HTTP/1.1\r\nHost: localhost\r\n" + token_ + "\r\n");
  while (!is_waiting_) std::this_thread::sleep_for(1ms);
  late_(json_response("late"));
  EXPECT_EQ(test::parse_answer(client.receive("late\"")).body, "\"late\"");
}

TEST_F(ServerTest, StreamsEventsAndGoesOnWhereAClientLeftOff) {
  const std::string head = "GET /events HTTP/1.1\r\nHost: localhost\r\n" + token_;
  RawClient first(server_->port()), second(server_->port());
  first.send(head + "\r\n");
  EXPECT_TRUE(contains(first.receive("retry: 1000\n\n"), "Content-Type: text/event-stream"));
  events_.add("step", "1");
  events_.add("step", "2");
  EXPECT_TRUE(contains(first.receive("data: 2\n\n"), "id: 1\nevent: step\ndata: 1\n\nid: 2\n"));
  EXPECT_TRUE(contains(first.receive(": still here\n\n"), ": still here"));
  second.send(head + "Last-Event-ID: 1\r\n\r\n");
  const std::string rest = second.receive("data: 2\n\n");
  EXPECT_TRUE(contains(rest, "id: 2\n"));
  EXPECT_FALSE(contains(rest, "id: 1\n"));
  const Answer third = get("/events");
  EXPECT_EQ(third.status, 503);
  EXPECT_EQ(third.headers.at("retry-after"), "15");
  second.close();
  Answer fourth;  // its place is free again, and an id that was never given means everything anew
  for (int i = 0; i < 100; ++i) {
    RawClient client(server_->port());
    client.send(head + "Last-Event-ID: 77\r\n\r\n");
    const std::string text = client.receive("resync", 200);
    fourth = test::parse_answer(text);
    if (fourth.status == 200) {
      EXPECT_TRUE(contains(text, "event: resync"));
      break;
    }
  }
  EXPECT_EQ(fourth.status, 200);
}

TEST(Server, SaysThatItsPortIsTaken) {
  Router router;
  EventLog events;
  ServerSettings settings;
  const Server first(settings, router, events);
  settings.port = first.port();
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { Server(settings, router, events); }), "[--port] "));
}

}  // namespace negativa::web
