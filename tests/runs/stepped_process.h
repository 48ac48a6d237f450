#pragma once
// Another process, run from one system call to the next, so that what happens between them can be tried moment by moment.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>

namespace negativa {

class SteppedProcess {
 public:
  explicit SteppedProcess(const std::function<void()>& work) : child_(::fork()) {
    if (child_ == 0) run(work);
    int status = 0;
    ::waitpid(child_, &status, 0);
    is_traced_ = WIFSTOPPED(status);
    is_alive_ = is_traced_;
  }
  ~SteppedProcess() { kill(); }
  SteppedProcess(const SteppedProcess&) = delete;

  bool is_traced() const { return is_traced_; }  // false: the system does not let it

  // To the next moment before or after a system call; false: it has ended.
  bool step() {
    if (!is_alive_) return false;
    ::ptrace(PTRACE_SYSCALL, child_, nullptr, nullptr);
    int status = 0;
    ::waitpid(child_, &status, 0);
    return is_alive_ = WIFSTOPPED(status);
  }
  void go_on() {  // to its end
    if (!is_alive_) return;
    int status = 0;
    ::ptrace(PTRACE_DETACH, child_, nullptr, nullptr);
    ::waitpid(child_, &status, 0);
    is_alive_ = false;
  }
  void kill() {
    if (is_alive_) ::kill(child_, SIGKILL);
    go_on();
  }

 private:
  [[noreturn]] static void run(const std::function<void()>& work) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    try {
      work();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(0);
  }

  const pid_t child_;
  bool is_traced_ = false, is_alive_ = false;
};

}  // namespace negativa
