#include "studio.h"

#include <chrono>

#include "io/models_folder.h"
#include "library/names.h"
#include "open_rating.h"
#include "page.h"
#include "web/secret.h"

namespace negativa::studio {

namespace fs = std::filesystem;

namespace {

// Ids of events grow from one start of the program to the next.
uint64_t first_event_id() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) * 1000;
}

}  // namespace

Studio::Studio(Engine& engine, const StudioSettings& settings, const Library::Notice& notice)
    : library_(settings.library, engine.places().cache, notice),
      events_(first_event_id()),
      inventory_(roots_),
      questions_(2),
      token_(web::random_secret()) {
  add_roots(engine, settings);
  queue_ = std::make_unique<Queue>(Queue::Parts{engine, library_, roots_, events_}, settings.hold);
  api_ = std::make_unique<Api>(library_, *queue_, roots_, inventory_, questions_);
  add_page();
  add_api(router_, *api_);
  if (settings.api) add_sdapi(engine);
  const LibraryAccess access = library_.access(settings.new_token, web::random_secret);
  web::ServerSettings server;
  server.port = settings.port;
  server.gate = {"negativa-" + library_.id(), access.cookie, token_, settings.api ? access.tools_token : "", settings.host_names};
  server.uploads = library_.uploads();
  server_ = std::make_unique<web::Server>(server, router_, events_);
}

// Whoever may still answer ends before the server does.
Studio::~Studio() {
  queue_->stop();  // tells those who wait
  questions_.join();
  server_.reset();
}

std::string Studio::url() const { return fmt::format("http://127.0.0.1:{}/?token={}", port(), token_); }

void Studio::add_roots(const Engine& engine, const StudioSettings& settings) {
  for (const char* name :
       {library_names::pictures, library_names::loras, library_names::embeddings, library_names::files, library_names::runs})
    roots_.add(name, library_.folder() / name);
  roots_.add("models", engine.places().models);
  if (const auto& bundled = engine.places().bundled) {
    roots_.add("bundled", *bundled);
    roots_.add("experiments", bundled->parent_path() / "experiments");
  }
  for (const auto& folder : settings.folders) {
    check(fs::is_directory(folder), ErrorKind::input, "[--folder] {} is no folder", folder.string());
    const fs::path canonical = fs::canonical(folder);
    roots_.add(canonical.has_filename() ? canonical.filename().string() : "root", canonical);
  }
  roots_.close_where(is_being_rated);
  roots_.hide(library_.folder());
  roots_.hide(engine.places().cache);
  roots_.hide(engine.places().models);
}

void Studio::add_sdapi(const Engine& engine) {
  const auto& places = engine.places();
  sdapi_ = std::make_unique<SdApi>(*api_, places.bundled ? roots_.reference_of(default_model(places)) : "");
  sdapi_->add_routes(router_);
}

void Studio::add_page() {
  for (const auto& file : page_files()) {
    // The page's address takes the token; its parts come with the cookie that it sets.
    const web::Access access = file.path == "/" ? web::Access::page : web::Access::studio;
    router_.add({"GET", std::string(file.path), access, web::answering([&file](const web::Request&) {
                   web::Response response;
                   response.content_type = file.content_type;
                   response.body = file.bytes;
                   return response;
                 }),
                 0});
  }
}

}  // namespace negativa::studio
