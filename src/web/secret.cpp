#include "web/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "base/error.h"
#include "base/text.h"
#include "web/base64.h"

namespace negativa::web {

std::string random_secret() {
  std::array<unsigned char, 16> bytes{};
  check(RAND_bytes(bytes.data(), bytes.size()) == 1, ErrorKind::machine, "[token] the system has no random numbers");
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

bool same_secret(std::string_view given, std::string_view secret) {
  return !secret.empty() && given.size() == secret.size() && CRYPTO_memcmp(given.data(), secret.data(), secret.size()) == 0;
}

std::string secret_of_authorization(std::string_view header) {
  const auto space = header.find(' ');
  if (space == std::string_view::npos) return "";
  const std::string scheme = ascii_lower(header.substr(0, space));
  const std::string_view value = header.substr(space + 1);
  if (scheme == "bearer") return std::string(value);
  if (scheme != "basic") return "";
  const std::string pair = bytes_from_base64(value).value_or("");
  const auto colon = pair.find(':');
  return colon == std::string::npos ? "" : pair.substr(colon + 1);
}

}  // namespace negativa::web
