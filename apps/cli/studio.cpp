#include "studio.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/file_names.h"
#include "base/names.h"
#include "browser.h"
#include "core/memory.h"
#include "environment.h"
#include "host.h"
#include "io/models_folder.h"
#include "io/tiny_vae.h"
#include "library/names.h"
#include "options.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct StudioOptions {
  int port = 7861;
  bool open = false, hold = false, api = false, new_token = false;
  Path library;
  std::string preview_vae = "auto";
  std::vector<std::string> folder, host_name;
  std::string isa = "auto";

  static void visit(auto& self, auto& v) {
    v("port", self.port, range(0, 65535), "of the address that is printed; 0: a free one");
    v("open", self.open, "open the page in the browser");
    v("library", self.library, "folder of pictures, LoRAs, ratings and the queue; default: ~/.local/share/negativa/library");
    v("folder", self.folder, "folder whose files requests may name, as training pictures; may be repeated");
    v("host_name", self.host_name,
      "name under which clients reach this studio besides localhost, as from a container; may be repeated");
    v("preview_vae", self.preview_vae,
      "TAESD, file or folder, that shows drawings on their way; none: a linear map; auto: taesdxl of the models folder or a "
      "--folder, where there is one");
    v("hold", self.hold, "jobs wait until you let them go");
    v("api", self.api, "lets programs of AUTOMATIC1111's webui in: /sdapi/v1, with a token that is kept in the library's folder");
    v("new_token", self.new_token, "browsers and programs that were let in before have to be let in again");
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}), isa_help);
  }
};

// Opened at once, so that a wrong file is said before the page is there.
std::optional<std::filesystem::path> preview_vae_of(const StudioOptions& options, const Places& places) {
  if (options.preview_vae == "none") return {};
  if (options.preview_vae != "auto") {
    const auto path = find_vae(options.preview_vae, places);
    check_preview_vae(path);
    return path;
  }
  std::vector<std::filesystem::path> folders = models_folders(places);
  for (const auto& folder : options.folder) folders.emplace_back(folder);
  return find_taesdxl(folders);
}

}  // namespace

int run_studio(const Arguments& args) {
  StudioOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"studio", "the studio's page and API on this machine", args}, fields)) return 0;
  use_isa(options.isa);
  studio::StudioSettings settings;
  settings.library = options.library.empty() ? library_folder_of_environment() : options.library;
  for (const auto& folder : options.folder) settings.folders.emplace_back(folder);
  settings.host_names = options.host_name;
  settings.port = static_cast<uint16_t>(options.port);
  settings.hold = options.hold;
  settings.api = options.api;
  settings.new_token = options.new_token;
  const Places places = places_of_environment();
  const auto preview_vae = preview_vae_of(options, places);
  if (preview_vae) notice("previews by {}", last_name(*preview_vae));
  Engine engine({.places = places, .preview_vae = preview_vae, .while_loading = [] { return std::make_shared<LargeBlocks>(); }});
  studio::Studio studio(engine, settings, [](const std::string& line) { notice("{}", line); });
  std::printf("%s\n", studio.url().c_str());
  std::fflush(stdout);
  if (options.api)
    notice("programs of the webui: http://127.0.0.1:{}/sdapi/v1; their token is the tools_token in {}", studio.port(),
           (settings.library / library_names::access).string());
  if (options.open) open_browser(studio.url());
  while (!interrupt_token().cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return 0;
}

}  // namespace negativa::cli
