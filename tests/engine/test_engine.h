#pragma once
// An engine on the repository's models, as the tests of several rooms use it.
#include <utility>

#include "engine/session.h"
#include "golden_file.h"

namespace negativa::test {

// One for the test program: models stay open from test to test.
inline Engine& engine() {
  static Engine engine({.places = places()});
  return engine;
}

// What a request said.
struct Heard : EventSink {
  std::vector<std::string> notices;
  std::vector<std::filesystem::path> files;  // of pictures
  std::vector<Image8> previews;
  int64_t every = 0;
  void on_notice(const std::string& text) override { notices.push_back(text); }
  void on_picture(const PictureEvent& event) override { files.push_back(event.file); }
  void on_preview(const PreviewEvent& event) override { previews.push_back(event.image); }
  int64_t preview_every() const override { return every; }
};

// Who hears the requests of this thread: nobody, unless a Listening lives.
inline EventSink*& listener() {
  static EventSink silence;
  thread_local EventSink* current = &silence;
  return current;
}
class Listening {
 public:
  explicit Listening(EventSink& events) : before_(std::exchange(listener(), &events)) {}
  ~Listening() { listener() = before_; }
  Listening(const Listening&) = delete;

 private:
  EventSink* before_;
};

// Never stops anything.
inline Caller nobody() {
  static const CancelToken never;
  return {*listener(), never};
}

// Any job on the test program's engine.
template <class Job, class Options>
auto run(const Job& job, const Options& options, const CancelToken& cancel = nobody().cancel) {
  return job(engine(), options, *listener(), cancel);
}

inline Session session(const ModelOptions& model, size_t pictures = 1) { return Session(engine(), model, nobody(), pictures); }

}  // namespace negativa::test
