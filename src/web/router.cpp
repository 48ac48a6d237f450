#include "web/router.h"

#include <algorithm>

#include "base/text.h"

namespace negativa::web {

namespace {

std::vector<std::string> parts_of(const std::string& pattern) {
  std::vector<std::string> parts;
  for (size_t begin = 1; begin < pattern.size();) {
    const auto end = std::min(pattern.find('/', begin), pattern.size());
    parts.push_back(pattern.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

bool matches(const Route& route, Request& request) {
  const auto parts = parts_of(route.pattern);
  const auto& segments = request.target.segments;
  request.wildcard.clear();
  request.tail.clear();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i >= segments.size()) return false;
    if (parts[i].ends_with("*}")) {
      request.tail.assign(segments.begin() + static_cast<std::ptrdiff_t>(i), segments.end());
      return true;
    }
    if (parts[i].starts_with('{'))
      request.wildcard[parts[i].substr(1, parts[i].size() - 2)] = segments[i];
    else if (parts[i] != segments[i])
      return false;
  }
  return parts.size() == segments.size();
}

// Of the pattern that was matched last.
size_t wildcards_of(const Request& request) { return request.wildcard.size() + (request.tail.empty() ? 0 : 1); }

// An address that a pattern names in full is that pattern's, and not of one in which anything may stand in its place.
size_t fewest_wildcards(const std::vector<Route>& routes, Request& request) {
  size_t fewest = SIZE_MAX;
  for (const auto& route : routes)
    if (matches(route, request)) fewest = std::min(fewest, wildcards_of(request));
  return fewest;
}

}  // namespace

Handler answering(std::function<Response(const Request&)> answer) {
  return [answer = std::move(answer)](const std::shared_ptr<const Request>& request, const Reply& reply) {
    reply(answer(*request));
  };
}

void Router::add(Route route) { routes_.push_back(std::move(route)); }

Router::Found Router::find(Request& request) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  std::vector<std::string> allowed;
  const auto fewest = fewest_wildcards(routes_, request);
  for (const auto& route : routes_) {
    if (!matches(route, request) || wildcards_of(request) > fewest) continue;
    if (route.method == method) return {&route, {}};
    allowed.push_back(route.method);
  }
  if (allowed.empty()) return {nullptr, error_response(404, "input", "[path] there is nothing under this address")};
  Response refusal = error_response(405, "input", "[method] this address does not take it, expected " + joined(allowed, " or "));
  refusal.headers.emplace_back("Allow", joined(allowed, ", "));
  return {nullptr, refusal};
}

}  // namespace negativa::web
