#include "program.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <sstream>

#include "base/files.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;

std::string content(FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace

pid_t Workplace::spawn(const Arguments& args, int out, int err) const {
  std::vector<char*> words{const_cast<char*>(NEGATIVA_PROGRAM)};
  for (const auto& arg : args) words.push_back(const_cast<char*>(arg.c_str()));
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv("XDG_CACHE_HOME", home_.path().c_str(), 1);
  ::setenv("NEGATIVA_MODELS", (home_ / "models").c_str(), 1);
  for (const char* rank : {"OMPI_COMM_WORLD_RANK", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID"}) ::unsetenv(rank);
  for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (largest_file_bytes > 0) {
    const rlimit limit{largest_file_bytes, largest_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  if (::chdir(folder_.path().c_str()) == 0) ::execv(NEGATIVA_PROGRAM, words.data());
  ::_exit(127);
}

Ran Workplace::run(const Arguments& args) const {
  FILE *out = std::tmpfile(), *err = std::tmpfile();
  const pid_t child = spawn(args, ::fileno(out), ::fileno(err));
  Ran ran;
  ran.exit_code = exit_code_of(child);
  ran.out = content(out);
  ran.err = content(err);
  return ran;
}

std::string Workplace::results(const Arguments& args) const {
  const Ran ran = run(args);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  return ran.out;
}

pid_t Workplace::start(const Arguments& args) const {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t child = spawn(args, nowhere, nowhere);
  ::close(nowhere);
  return child;
}

std::string Workplace::read(const std::string& name) const { return read_file(folder_ / name); }

void Workplace::write(const std::string& name, const std::string& text) const { write_atomically(folder_ / name, text); }

fs::path Workplace::cache() const { return home_ / "negativa"; }

std::vector<std::string> Workplace::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path()))
    names.push_back(fs::relative(entry.path(), folder_.path()));
  std::sort(names.begin(), names.end());
  return names;
}

int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

fs::path golden(const std::string& name) { return fs::path(NEGATIVA_SOURCE_DIR) / "tests/golden" / name; }

fs::path bundled(const std::string& name) {
  const auto model = fs::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl";
  return name.empty() ? model : model / name;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void write_zeros(const fs::path& file, const NamedShapes& tensors) {
  Json header = Json::object();
  uint64_t end = 0;
  for (const auto& [name, shape] : tensors) {
    const uint64_t begin = end;
    end += 4 * std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {begin, end}}};
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &size, 8);
  write_atomically(file, bytes + text + std::string(end, '\0'));
}

Json tensors_of(const fs::path& file) {
  const std::string bytes = read_file(file);
  uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  Json header = parse_json(bytes.substr(8, size), file.string());
  header.erase("__metadata__");
  return header;
}

Image8 picture(const fs::path& png) { return read_png(png).image; }

std::string text_chunk(const fs::path& png, const std::string& keyword) {
  for (const auto& [key, text] : read_png_text(png))
    if (key == keyword) return text;
  return "";
}

}  // namespace negativa::test
