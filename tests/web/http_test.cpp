// The server as browsers and programs meet it, through libcurl.
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "http_client.h"
#include "web/server.h"

namespace negativa::web {

namespace {

using test::Answer;
using test::HttpClient;

Gate gate_of(const std::string& name) { return {name, name + "-cookie", name + "-token", name + "-tools", {"studio.internal"}}; }

class Studio {
 public:
  explicit Studio(const std::string& name) {
    router_.add({"GET", "/", Access::page, answering([](const Request&) { return json_response("page"); })});
    router_.add({"GET", "/names/{name}", Access::studio,
                 answering([](const Request& request) { return json_response(request.wild("name")); })});
    router_.add(
        {"GET", "/files/{path*}", Access::studio, answering([](const Request& request) { return json_response(request.tail); })});
    router_.add({"POST", "/echo", Access::studio,
                 answering([](const Request& request) { return json_response(request.body.size()); }), 1000000});
    router_.add({"GET", "/tools", Access::tools, answering([](const Request&) { return json_response("tools"); })});
    ServerSettings settings;
    settings.gate = gate_of(name);
    settings.uploads = folder_.path();
    settings.deadline = std::chrono::seconds(5);
    server_ = std::make_unique<Server>(settings, router_, events_);
  }
  uint16_t port() const { return server_->port(); }

 private:
  TemporaryFolder folder_;
  Router router_;
  EventLog events_;
  std::unique_ptr<Server> server_;
};

const std::string bearer = "Authorization: Bearer a-token";

class Http : public ::testing::Test {
 protected:
  Studio studio_{"a"};
  HttpClient client_{studio_.port()};
};

}  // namespace

// Cookies ignore ports: two studios on one machine have cookies of two names.
TEST_F(Http, PrintedUrlsLetABrowserIntoTwoStudiosSideBySide) {
  const Studio other("b");
  EXPECT_EQ(client_.get("/").status, 401);
  EXPECT_EQ(client_.get("/?token=b-token").status, 401);
  EXPECT_EQ(client_.get("/?token=a-token").status, 200);
  EXPECT_EQ(client_.get("/names/x").body, "\"x\"");
  const std::string both = "Cookie: a=a-cookie; b=b-cookie";
  for (const auto port : {studio_.port(), other.port()}) {
    HttpClient browser(port);
    EXPECT_EQ(browser.get("/names/x", {both}).status, 200);
    EXPECT_EQ(browser.get("/names/x", {"Cookie: a=b-cookie; b=a-cookie"}).status, 401);
  }
}

TEST_F(Http, ANameThatDnsTurnsTowardsThisMachineGetsNothing) {
  client_.call_it("evil.example");
  for (const char* target : {"/?token=a-token", "/names/x", "/nothing"}) {
    EXPECT_EQ(client_.get(target, {bearer}).status, 403) << target;
    EXPECT_EQ(client_.get(target, {bearer, "Cookie: a=a-cookie"}).status, 403) << target;
  }
  EXPECT_EQ(client_.send("POST", "/echo", {bearer}, "{}").status, 403);
  client_.call_it("studio.internal");
  EXPECT_EQ(client_.get("/names/x", {bearer}).status, 200);
}

TEST_F(Http, AnotherPortLeadsHereThroughATunnel) {
  client_.call_it("localhost");
  client_.tunnel_from(9999);
  EXPECT_EQ(client_.get("/?token=a-token", {"Origin: http://localhost:9999"}).status, 200);
  EXPECT_EQ(client_.get("/names/x").status, 200);  // by the cookie
  EXPECT_EQ(client_.send("POST", "/echo", {"Origin: http://localhost:9999"}, "{}").body, "2");
  EXPECT_EQ(client_.send("POST", "/echo", {"Origin: http://localhost:" + std::to_string(studio_.port())}, "{}").status, 403);
}

TEST_F(Http, PagesOfOtherSitesGetNothingThroughABrowserThatIsLetIn) {
  ASSERT_EQ(client_.get("/?token=a-token").status, 200);
  for (const char* origin : {"Origin: null", "Origin: http://evil.example", "Origin: https://127.0.0.1"}) {
    const Answer answer = client_.send("POST", "/echo", {origin}, "{}");
    EXPECT_EQ(answer.status, 403) << origin;
    for (const auto& [name, value] : answer.headers) EXPECT_FALSE(name.starts_with("access-control")) << name;
  }
  EXPECT_EQ(client_.send("OPTIONS", "/echo", {"Origin: http://evil.example", "Access-Control-Request-Method: POST"}).status, 403);
  EXPECT_EQ(client_.get("/names/x", {"Sec-Fetch-Site: cross-site"}).status, 403);
}

TEST_F(Http, ProgramsComeInByTheirTokenAsBearerOrPassword) {
  EXPECT_EQ(client_.get("/tools").status, 401);
  EXPECT_EQ(client_.get("/tools").headers.at("www-authenticate"), "Basic realm=\"negativa\", charset=\"UTF-8\"");
  EXPECT_EQ(client_.get("/tools", {"Authorization: Bearer a-tools"}).status, 200);
  EXPECT_EQ(client_.get("/tools", {"Authorization: Basic YW55OmEtdG9vbHM="}).status, 200);  // any:a-tools
  EXPECT_EQ(client_.get("/tools", {bearer}).status, 401);
  EXPECT_EQ(client_.get("/names/x", {"Authorization: Bearer a-tools"}).status, 401);
}

TEST_F(Http, PathsThatLeadElsewhereAreRefused) {
  for (const char* target : {"/files/../../etc/passwd", "/files/%2e%2e/%2e%2e/etc/passwd", "/files/..%2f..%2fetc%2fpasswd",
                             "/files/%2fetc%2fpasswd", "/files//etc/passwd", "/files/a%00.png", "/files/..%5c..%5cboot.ini",
                             "/files/%c0%ae%c0%ae/etc", "/files/./a", "/files/a/", "/files/%"})
    EXPECT_EQ(client_.get(target, {bearer}).status, 400) << target;
  // Decoded once: this is a file of that odd name.
  EXPECT_EQ(client_.get("/files/%252e%252e/%252fetc", {bearer}).body, "[\"%2e%2e\",\"%2fetc\"]");
}

TEST_F(Http, BodiesThatAreTooLongAreRefusedWhileTheyComeAndTheClientHearsIt) {
  for (const char* expect : {"Expect:", "Expect: 100-continue"}) {
    const Answer answer = client_.send("POST", "/echo", {bearer, expect}, std::string(20000000, 'a'));
    EXPECT_EQ(answer.status, 413) << expect;
    EXPECT_TRUE(contains(answer.body, "[body] has 20000000 bytes")) << answer.body;
  }
  EXPECT_EQ(client_.send("POST", "/echo", {bearer, "Transfer-Encoding: chunked"}, std::string(300000, 'a')).status, 411);
  EXPECT_EQ(client_.send("POST", "/echo", {bearer, "Expect: a-miracle"}, "a").status, 417);
  EXPECT_EQ(client_.send("POST", "/echo", {}, std::string(20000000, 'a')).status, 401);
  EXPECT_EQ(client_.send("POST", "/echo", {bearer, "Expect: 100-continue"}, std::string(1000000, 'a')).body, "1000000");
}

// Bytes that nobody read would make the close a reset, and the answer would be lost.
TEST_F(Http, AClientThatSendsItsWholeBodyFirstHearsTheRefusalToo) {
  test::RawClient client(studio_.port());
  EXPECT_TRUE(client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\nContent-Length: 8000000\r\n\r\n" +
                          std::string(8000000, 'a')));
  EXPECT_EQ(test::parse_answer(client.receive()).status, 413);
}

TEST_F(Http, AConnectionIsKept) {
  EXPECT_EQ(client_.get("/names/x", {bearer}).status, 200);
  EXPECT_EQ(client_.new_connections(), 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client_.send("POST", "/echo", {bearer}, "abc").body, "3");
  EXPECT_EQ(client_.send("HEAD", "/names/x", {bearer}).headers.at("content-length"), "3");
  EXPECT_EQ(client_.get("/nothing", {bearer}).status, 404);
  EXPECT_EQ(client_.new_connections(), 0);
}

TEST_F(Http, HtmlInANameIsTextInTheAnswer) {
  const Answer answer = client_.get("/names/%3Cscript%3Ealert(1)%3C%2Fscript%3E", {bearer});
  EXPECT_EQ(answer.status, 400);  // "/" in a segment
  const Answer inert = client_.get("/names/%3Cimg%20src=x%20onerror=alert(1)%3E", {bearer});
  EXPECT_EQ(parse_json(inert.body, "answer"), "<img src=x onerror=alert(1)>");
  EXPECT_EQ(inert.headers.at("content-type"), "application/json");
  EXPECT_EQ(inert.headers.at("x-content-type-options"), "nosniff");
}

}  // namespace negativa::web
