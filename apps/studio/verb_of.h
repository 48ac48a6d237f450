#pragma once
// How a verb is made of a struct of settings and what is done with them. Included by the files that list verbs, and by those
// alone.
#include "base/json.h"
#include "verbs.h"

namespace negativa::studio {

inline Json parsed(const std::string& json) { return Json::parse(json); }

// What a verb does with its settings; `forecast` and `prepare` may be absent.
template <class Options>
struct Actions {
  std::function<Json(const Options&, const Running&)> run = {};
  std::function<Json(const Options&, const Running&)> forecast = {};
  std::function<void(Options&, Fields&, const Running&)> prepare = {};
};

template <class Options>
class Request : public VerbRequest {
 public:
  explicit Request(const Actions<Options>& actions) : actions_(actions), fields_(fields_of(options_)) {}
  Fields& fields() override { return fields_; }
  void prepare(const Running& running) override {
    if (actions_.prepare) actions_.prepare(options_, fields_, running);
  }
  Json run(const Running& running) override { return actions_.run(options_, running); }
  Json forecast(const Running& running) override { return actions_.forecast(options_, running); }

 private:
  const Actions<Options>& actions_;
  Options options_;
  Fields fields_;
};

// The actions live as long as the program.
template <class Options>
Verb verb(const char* name, const char* help, Lane lane, Actions<Options> actions) {
  const auto kept = std::make_shared<const Actions<Options>>(std::move(actions));
  return {name, help, lane, bool(kept->forecast), [kept] { return std::make_unique<Request<Options>>(*kept); }};
}

}  // namespace negativa::studio
