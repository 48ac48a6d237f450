// How soon a request begins on an engine that is open: `negativa_bench_requests MODEL OUT`. Each line on stdin draws a picture of
// two steps into OUT, as the program does, and prints the seconds from the request to the end of its first step. The first line's
// engine is new; what it takes to start the process is for the caller to measure.
#include <chrono>
#include <iostream>

#include "io/models_folder.h"
#include "jobs/generate.h"

namespace {

using Clock = std::chrono::steady_clock;

struct FirstStep : negativa::EventSink {
  Clock::time_point at{};
  void on_step(const negativa::StepEvent& event) override {
    if (event.done == 1) at = Clock::now();
  }
};

}  // namespace

int main(int argc, char** argv) {
  using namespace negativa;
  if (argc != 3) return std::cerr << "usage: negativa_bench_requests MODEL OUT\n", 2;
  Engine engine({.places = {.bundled = bundled_models_folder()}});
  GenerateOptions options;
  options.model.model = argv[1];
  options.output.out = argv[2];
  options.picture.prompt = "red apple on a blue background";
  options.picture.steps = 2;
  options.picture.seed = 1;
  const CancelToken never;
  for (std::string line; std::getline(std::cin, line);) {
    FirstStep events;
    const auto begin = Clock::now();
    generate(engine, options, events, never);
    std::cout << std::chrono::duration<double>(events.at - begin).count() << std::endl;
  }
}
