#include "browser.h"

#include <spawn.h>
#include <sys/wait.h>

#include <thread>

#include "stderr.h"

extern char** environ;

namespace negativa::cli {

void open_browser(const std::string& url) {
  std::string program = "xdg-open", address = url;
  char* arguments[] = {program.data(), address.data(), nullptr};
  pid_t child = 0;
  if (::posix_spawnp(&child, "xdg-open", nullptr, nullptr, arguments, environ) != 0)
    return notice("no browser was found to open; open the address above in one");
  std::thread([child] { ::waitpid(child, nullptr, 0); }).detach();
}

}  // namespace negativa::cli
