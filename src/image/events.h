#pragma once
// What happens while a request is worked on, told to whoever asked.
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/cancel.h"
#include "image/image.h"

namespace negativa {

struct StepEvent {
  std::string stage;            // "denoise", "train", "score"
  int64_t done = 0, total = 0;  // steps of this stage; done 0: it begins
};

struct PreviewEvent {
  size_t picture = 0;  // number within the request
  int64_t step = 0;    // done
  const Image8& image;
};

struct PictureEvent {
  size_t picture = 0;          // number within the request
  std::filesystem::path file;  // as written; empty: it is no file
  const Image8& image;
};

struct LossEvent {
  int64_t step = 0, steps = 0;
  double loss = 0, learning_rate = 0, gradient_norm = 0;
};

struct ValidationEvent {
  int64_t step = 0;
  double loss = 0;
};

struct CheckpointEvent {
  int64_t step = 0;
};

// Calls for one request come one at a time, from any thread, and hold the work up while they last. What they throw ends the
// request. The default is to do nothing.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_step(const StepEvent&) {}
  virtual void on_notice(const std::string&) {}  // one line that a person should read
  virtual void on_preview(const PreviewEvent&) {}
  virtual void on_picture(const PictureEvent&) {}
  virtual void on_loss(const LossEvent&) {}
  virtual void on_validation(const ValidationEvent&) {}
  virtual void on_checkpoint(const CheckpointEvent&) {}
  // Latent previews come after every so many steps of a picture; 0: never. Each costs a small decoding. A model that holds one
  // part at a time has none.
  virtual int64_t preview_every() const { return 0; }
};

// Who asked: what is told on the way, and how the request is stopped. Both outlive it.
struct Caller {
  EventSink& events;
  const CancelToken& cancel;
};

// Passes a request's events on one at a time, whatever threads they come from, and each notice once. Safe from several threads.
class RequestEvents : public EventSink {
 public:
  explicit RequestEvents(EventSink& to) : to_(to) {}
  void on_step(const StepEvent& event) override;
  void on_notice(const std::string& text) override;
  void on_preview(const PreviewEvent& event) override;
  void on_picture(const PictureEvent& event) override;
  void on_loss(const LossEvent& event) override;
  void on_validation(const ValidationEvent& event) override;
  void on_checkpoint(const CheckpointEvent& event) override;
  int64_t preview_every() const override { return to_.preview_every(); }

 private:
  EventSink& to_;
  std::mutex mutex_;
  std::set<std::string> said_;
};

// Counts the steps of one stage. Safe from several threads if the sink is.
class Stage {
 public:
  Stage(EventSink& events, std::string name, int64_t total);  // says that it begins
  void tick(int64_t steps = 1);

 private:
  EventSink& events_;
  const std::string name_;
  const int64_t total_;
  std::mutex mutex_;
  int64_t done_ = 0;
};

}  // namespace negativa
