#pragma once
// Secrets that let a client in.
#include <string>
#include <string_view>

namespace negativa::web {

// 128 random bits as 32 hexadecimal digits. Throws ErrorKind::machine when the system has no randomness.
std::string random_secret();

// In a time that does not depend on where two texts of one length differ. An empty secret equals nothing.
bool same_secret(std::string_view given, std::string_view secret);

// The value after "Bearer ", or the password of "Basic …" (RFC 7617) whatever its user name; empty: neither.
std::string secret_of_authorization(std::string_view header);

}  // namespace negativa::web
