#include "web/gate.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "web/secret.h"

namespace negativa::web {

namespace {

Gate gate() { return {"negativa-x", "cookie-secret", "url-token", "tools-token", {"host.docker.internal"}}; }

Request request(const Headers& headers, const std::string& target = "/") {
  Request request;
  request.method = "GET";
  request.target = *parse_target(target);
  request.headers = headers;
  return request;
}

bool origin_is_right(const Headers& headers) { return !gate().fault_of_origin(request(headers)); }
bool gets_in(Access access, const Headers& headers, const std::string& target = "/") {
  return !gate().fault_of_access(request(headers, target), access);
}

}  // namespace

TEST(Gate, KnowsItsOwnNamesWithAnyPort) {
  for (const char* host : {"localhost", "LocalHost:1", "127.0.0.1", "127.0.0.1:7861", "[::1]", "[::1]:65535",
                           "host.docker.internal:9", "HOST.docker.internal"})
    EXPECT_TRUE(origin_is_right({{"host", host}})) << host;
  for (const char* host :
       {"", "evil.example", "evil.example:7861", "localhost.evil.example", "localhost:", "localhost:0", "localhost:65536",
        "localhost:1x", "127.0.0.1.", "[::1]x", "[::1", "::1", "127.0.0.2", "localhost@evil"})
    EXPECT_FALSE(origin_is_right({{"host", host}})) << host;
  EXPECT_FALSE(origin_is_right({}));
  EXPECT_FALSE(origin_is_right({{"host", "localhost"}, {"host", "localhost"}}));
}

TEST(Gate, TakesAnOriginOnlyFromItsOwnPage) {
  const auto with = [](const char* origin) { return origin_is_right({{"host", "localhost:7861"}, {"origin", origin}}); };
  EXPECT_TRUE(with("http://localhost:7861"));
  for (const char* origin :
       {"null", "", "http://localhost", "http://localhost:7862", "https://localhost:7861", "http://127.0.0.1:7861",
        "http://evil.example", "http://localhost:7861/", "http://localhost:7861.evil.example"})
    EXPECT_FALSE(with(origin)) << origin;
  EXPECT_FALSE(origin_is_right({{"host", "localhost"}, {"origin", "http://localhost"}, {"origin", "http://localhost"}}));
}

TEST(Gate, LetsInByCookieTokenAndBearer) {
  EXPECT_TRUE(gets_in(Access::studio, {{"cookie", "a=b; negativa-x=cookie-secret; c=d"}}));
  EXPECT_TRUE(gets_in(Access::studio, {{"authorization", "Bearer url-token"}}));
  EXPECT_TRUE(gets_in(Access::page, {}, "/?token=url-token"));
  EXPECT_FALSE(gets_in(Access::studio, {}, "/?token=url-token"));
  EXPECT_FALSE(gets_in(Access::page, {}, "/?token=url-toke"));
  EXPECT_FALSE(gets_in(Access::page, {}));
  EXPECT_FALSE(gets_in(Access::studio, {{"cookie", "negativa-x=cookie-secreT"}}));
  EXPECT_FALSE(gets_in(Access::studio, {{"cookie", "negativa-x="}}));
  EXPECT_FALSE(gets_in(Access::studio, {{"cookie", "negativa-x=cookie-secret; negativa-x=other"}}));
  EXPECT_FALSE(gets_in(Access::studio, {{"authorization", "Bearer tools-token"}}));
  EXPECT_FALSE(gets_in(Access::studio, {{"cookie", "negativa-x=url-token"}}));
}

TEST(Gate, TellsAnotherSitesRequestsFromThePages) {
  const auto from = [](const char* site, Access access) {
    return gets_in(access, {{"cookie", "negativa-x=cookie-secret"}, {"sec-fetch-site", site}});
  };
  EXPECT_TRUE(from("same-origin", Access::studio));
  EXPECT_TRUE(from("none", Access::studio));
  EXPECT_FALSE(from("same-site", Access::studio));
  EXPECT_FALSE(from("cross-site", Access::studio));
  EXPECT_TRUE(from("cross-site", Access::page));  // a link to the studio
}

TEST(Gate, LetsProgramsInByTheirOwnTokenAlone) {
  EXPECT_TRUE(gets_in(Access::tools, {{"authorization", "Bearer tools-token"}}));
  EXPECT_TRUE(gets_in(Access::tools, {{"authorization", "basic dXNlcjp0b29scy10b2tlbg=="}}));  // user:tools-token
  EXPECT_FALSE(gets_in(Access::tools, {{"authorization", "Basic dXNlcjp3cm9uZw=="}}));
  EXPECT_FALSE(gets_in(Access::tools, {{"authorization", "Basic !"}}));
  EXPECT_FALSE(gets_in(Access::tools, {{"authorization", "Bearer url-token"}}));
  EXPECT_FALSE(gets_in(Access::tools, {{"cookie", "negativa-x=cookie-secret"}}));
  Gate closed = gate();
  closed.tools_token = "";
  EXPECT_TRUE(closed.fault_of_access(request({{"authorization", "Bearer "}}), Access::tools));
}

TEST(Gate, SetsACookieThatNoScriptAndNoOtherSiteSees) {
  EXPECT_EQ(gate().set_cookie().substr(0, 66), "negativa-x=cookie-secret; Path=/; HttpOnly; SameSite=Strict; Max-A");
  EXPECT_EQ(random_secret().size(), 32);
  EXPECT_NE(random_secret(), random_secret());
}

TEST(ErrorResponse, NamesKindAndField) {
  const auto parsed = [](const std::string& message) {
    return parse_json(error_response(400, "input", message).body, "answer")["error"];
  };
  EXPECT_EQ(parsed("[steps in request] got 0").value("field", ""), "steps");
  EXPECT_EQ(parsed("[--cfg-scale] got 1").value("field", ""), "cfg_scale");
  EXPECT_FALSE(parsed("[request] has the unknown setting").contains("field"));
  EXPECT_EQ(parsed("x")["kind"], "input");
}

}  // namespace negativa::web
