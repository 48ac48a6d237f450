#include "web/gate.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "web/secret.h"

namespace negativa::web {

namespace {

// The cookie's value; empty: none of that name, or several.
std::string cookie_of(const Request& request, std::string_view cookie_name) {
  std::string found;
  int count = 0;
  for (const auto& [name, value] : request.headers) {
    if (name != "cookie") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(';'), rest.size());
      std::string_view pair = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != cookie_name) continue;
      found = pair.substr(equals + 1);
      ++count;
    }
  }
  return count == 1 ? found : "";
}

std::string secret_of(const Request& request) {
  const std::string* header = request.header("authorization");
  return header ? secret_of_authorization(*header) : "";
}

// What browsers add of themselves: a request that another site made, or another port of this machine.
bool is_made_by_another_site(const Request& request) {
  const std::string* site = request.header("sec-fetch-site");
  return site && *site != "same-origin" && *site != "none";
}

}  // namespace

std::string name_of_host(std::string_view host) {
  std::string_view name = host.substr(0, host.starts_with('[') ? std::min(host.find(']') + 1, host.size()) : host.find(':'));
  std::string_view port = host.substr(name.size());
  if (port.empty()) return ascii_lower(name);
  port.remove_prefix(1);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_port = host[name.size()] == ':' && error == std::errc() && end == port.data() + port.size() && number > 0;
  return is_port ? ascii_lower(name) : "";
}

std::optional<Response> Gate::fault_of_origin(const Request& request) const {
  const std::string* host = request.header("host");
  const std::string name = host ? name_of_host(*host) : "";
  const bool known = name == "localhost" || name == "127.0.0.1" || name == "[::1]" ||
                     std::any_of(host_names.begin(), host_names.end(),
                                 [&](const auto& other) { return !name.empty() && ascii_lower(other) == name; });
  if (!known)
    return error_response(403, "input",
                          "[Host] is not this studio's, expected localhost, 127.0.0.1 or [::1]; --host-name adds one");
  const auto is_origin = [](const auto& header) { return header.first == "origin"; };
  const auto count = std::count_if(request.headers.begin(), request.headers.end(), is_origin);
  if (count == 0) return {};
  const std::string* origin = request.header("origin");
  if (!origin || ascii_lower(*origin) != "http://" + ascii_lower(*host))
    return error_response(403, "input", "[Origin] is not this studio's page; pages of other sites may not ask");
  return {};
}

bool Gate::came_by_url(const Request& request) const {
  const auto found = request.target.query.find("token");
  return found != request.target.query.end() && same_secret(found->second, token);
}

std::optional<Response> Gate::fault_of_access(const Request& request, Access access) const {
  const std::string given = secret_of(request);
  if (access == Access::tools) {
    if (same_secret(given, tools_token)) return {};
    Response refusal =
        error_response(401, "input", "[Authorization] has not the token of this studio; it is in the library's folder");
    refusal.headers.emplace_back("WWW-Authenticate", "Basic realm=\"negativa\", charset=\"UTF-8\"");
    return refusal;
  }
  if (same_secret(given, token)) return {};
  if (access == Access::page && came_by_url(request)) return {};
  if (same_secret(cookie_of(request, cookie_name), cookie)) {
    if (access == Access::page || !is_made_by_another_site(request)) return {};
    return error_response(403, "input", "[Sec-Fetch-Site] pages of other sites may not ask");
  }
  return error_response(401, "input", "[token] is missing; open the address that negativa studio printed");
}

std::string Gate::set_cookie() const {
  return cookie_name + "=" + cookie + "; Path=/; HttpOnly; SameSite=Strict; Max-Age=34560000";
}

Headers safety_headers() {
  return {{"Content-Security-Policy",
           "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; frame-src 'self'; "
           "form-action 'none'; "
           "base-uri 'none'; frame-ancestors 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cross-Origin-Opener-Policy", "same-origin"}};
}

}  // namespace negativa::web
