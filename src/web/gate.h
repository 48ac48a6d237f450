#pragma once
// Who may ask: the checks on a request's head before anything else of it is looked at. Other programs of
// this machine, pages of other sites in the same browser (by address or by a name that DNS turns here) and whoever reads the
// network get nothing; who can read this user's files gets everything.
#include <optional>
#include <string>
#include <vector>

#include "web/message.h"

namespace negativa::web {

// What lets a client in.
enum class Access {
  studio,  // the cookie, or the printed token as bearer
  page,    // these, or the printed token in the URL, which is answered with the cookie
  tools,   // the token for other programs, as bearer or as basic password
};

struct Gate {
  std::string cookie_name, cookie;      // the cookie's value is a secret
  std::string token;                    // of the printed URL; new at every start
  std::string tools_token;              // empty: no program is let in
  std::vector<std::string> host_names;  // besides localhost, 127.0.0.1 and [::1]

  // Host must be one of these names with any port; Origin, where there is one, "http://" + Host. Absent: neither is at fault.
  std::optional<Response> fault_of_origin(const Request& request) const;
  // Absent: it is let in.
  std::optional<Response> fault_of_access(const Request& request, Access access) const;
  // Whether the request has the token in its URL: the answer then sets the cookie.
  bool came_by_url(const Request& request) const;
  std::string set_cookie() const;  // value of the header
};

// "[::1]:7861" -> "[::1]". Empty: no name, or something after it that is no port.
std::string name_of_host(std::string_view host);

// The headers that every answer carries: no script but our own, nothing from elsewhere, no frame around it.
Headers safety_headers();

}  // namespace negativa::web
