#include "jobs/experiment_pairs.h"

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "experiment/preference_pairs.h"
#include "jobs/job.h"

namespace negativa {

namespace {

PairSource source_of(const std::string& name) {
  return name == "people" ? PairSource::people : name == "judge" ? PairSource::judge : PairSource::all;
}

// The fields that people read, and beside them the columns of Pick-a-Pic, which Diffusion-DPO trainers take.
Json json_of(const PreferencePair& pair, const Path& pictures) {
  const std::string winner = (pictures / pair.winner).generic_string(), loser = (pictures / pair.loser).generic_string();
  return {{"winner", winner},  {"loser", loser},        {"prompt", pair.prompt},
          {"seed", pair.seed}, {"source", pair.source}, {"votes", {pair.for_it, pair.against_it}},
          {"jpg_0", winner},   {"jpg_1", loser},        {"label_0", 1},
          {"label_1", 0},      {"caption", pair.prompt}};
}

ExperimentPairsReport pairs_now(const ExperimentPairsOptions& options, const Caller& caller) {
  check(!options.run.empty(), ErrorKind::input, "[experiment pairs] a run folder is needed; try runs/demo");
  check(!options.out.empty(), ErrorKind::input, "[-o] is needed: the file that the pairs go to, such as pairs.jsonl");
  check_can_write(options.out);
  const RunStore store = RunStore::open(options.run, caller.events);
  PairsAsked asked{{}, source_of(options.source)};
  if (!options.arms.empty()) asked.arms = split(options.arms, ',');
  const PreferencePairs found = preference_pairs(store, asked, caller.events);
  check(!found.pairs.empty(), ErrorKind::input, "[{}] no pair has a winner: {} are ties", options.run.string(), found.ties);
  ExperimentPairsReport report{options.out, 0, 0, found.ties};
  const Path from = std::filesystem::absolute(options.out).lexically_normal().parent_path();
  const Path pictures = std::filesystem::absolute(store.folder()).lexically_normal().lexically_relative(from);
  std::string lines;
  for (const auto& pair : found.pairs) {
    lines += json_of(pair, pictures == "." ? Path() : pictures).dump() + "\n";
    ++(pair.source == "people" ? report.people : report.judge);
  }
  write_atomically(options.out, lines);
  return report;
}

}  // namespace

ExperimentPairsReport experiment_pairs(Engine&, const ExperimentPairsOptions& options, EventSink& sink,
                                       const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return pairs_now(options, caller); });
}

}  // namespace negativa
