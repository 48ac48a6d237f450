#pragma once
// An engine on the repository's models, as the tests of several rooms use it.
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

// Of whoever does not listen and never stops anything.
inline Caller nobody() {
  static EventSink silence;
  static const CancelToken never;
  return {silence, never};
}

inline Session session(const ModelOptions& model, size_t pictures = 1) { return Session(engine(), model, nobody(), pictures); }

}  // namespace negativa::test
