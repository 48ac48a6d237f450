#pragma once
// Which handler answers which request.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "web/gate.h"
#include "web/message.h"

namespace negativa::web {

// On a thread of the server's pool; what it throws becomes the error's answer. It may keep `reply` and return: the answer then
// comes whenever it does.
using Handler = std::function<void(const std::shared_ptr<const Request>&, const Reply& reply)>;

inline constexpr uint64_t usual_body_bytes = uint64_t{8} << 20;

struct Route {
  std::string method;   // "GET" answers HEAD too
  std::string pattern;  // "/api/v1/jobs/{id}", "/api/v1/files/{root}/{path*}"
  Access access = Access::studio;
  Handler handler;
  uint64_t body_bytes = usual_body_bytes;  // longer ones are refused unread; 0: none is taken
  bool is_upload = false;                  // the body goes to a file, as it comes
};

// A handler that answers at once.
Handler answering(std::function<Response(const Request&)> answer);

class Router {
 public:
  void add(Route route);
  const std::vector<Route>& routes() const { return routes_; }

  struct Found {
    const Route* route = nullptr;  // nullptr: `refusal` says why
    Response refusal;
  };
  // Fills the request's wildcards. 404 where no pattern fits, 405 where none of that method does.
  Found find(Request& request) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace negativa::web
