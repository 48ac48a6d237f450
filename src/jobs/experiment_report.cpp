#include "jobs/experiment_report.h"

#include <algorithm>
#include <chrono>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "experiment/calibration.h"
#include "experiment/test_runs.h"
#include "io/models_folder.h"
#include "jobs/job.h"
#include "report/contact_sheets.h"
#include "report/page.h"

namespace negativa {

namespace {

// The judge's own calibration where it is that of the plan's judge; else nothing: the page says that it is not known.
std::string kept_calibration(const RunPlan& plan, const Places& places) {
  const auto judge =
      std::find_if(plan.inputs.begin(), plan.inputs.end(), [](const auto& input) { return input.role == "judge"; });
  if (judge == plan.inputs.end()) return "";
  const Json config = parse_json(plan.config_json, "configuration of the plan");
  const auto given = get_or<std::string>(config, "judge", "", "configuration of the plan");
  const Path folder = given.empty() ? default_model(places) / names::judge_folder : Path(given);
  try {
    const Path file = folder / names::judge_calibration;
    std::string text = read_file(file);
    return Calibration::from_text(text, file.string()).judge_sha256 == judge->sha256 ? text : "";
  } catch (const Error&) {  // a report is made anywhere, the judge may be elsewhere
    return "";
  }
}

std::vector<Path> write_sheets(const RunStore& store, const RunPlan& plan, const RunRecords& records, const CancelToken& cancel) {
  std::vector<Path> written;
  const Path folder = store.folder() / names::sheets_folder;
  make_folder(folder);
  draw_contact_sheets({store, plan, records}, cancel, [&](const ContactSheet& sheet) {
    written.push_back(folder / (sheet.stem + ".png"));
    write_atomically(written.back(), encode_png(sheet.image, {{"Title", plan.name + ": " + sheet.stem}}));
  });
  return written;
}

ExperimentReport report_now(Engine& engine, const ExperimentReportOptions& options, const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  check(!options.run.empty(), ErrorKind::input, "[experiment report] a run folder is needed; try runs/demo");
  if (!options.keep.empty()) check_can_write(options.keep);
  const RunStore store = RunStore::open(options.run, caller.events);
  check(store.frozen().has_value(), ErrorKind::input, "[{}] has no plan yet; negativa experiment run begins it",
        options.run.string());
  const RunPlan& plan = *store.frozen();
  const RunRecords records = read_run(store, plan, caller.cancel);
  const Analysis analysis = analyse(plan, records);
  PageOptions page_options;
  page_options.calibration_json = kept_calibration(plan, engine.places());
  if (!options.toml.empty()) page_options.test_runs = counted_test_runs(options.toml);

  ExperimentReport report;
  report.table = table_of_arms(plan, records, analysis);
  report.people = page_options.people = read_people(store, plan, records);
  report.page = store.folder() / names::report_page;
  const Page page = make_page(store, plan, records, analysis, page_options);
  for (const auto& line : page.notices) caller.events.on_notice(line);
  write_atomically(report.page, page.html);
  report.pictures = page.pictures;
  report.written.push_back(report.page);
  if (!options.keep.empty()) {
    page_options.keep = true;
    write_atomically(options.keep, make_page(store, plan, records, analysis, page_options).html);
    report.written.push_back(options.keep);
  }
  if (options.sheets)
    for (auto& sheet : write_sheets(store, plan, records, caller.cancel)) report.written.push_back(std::move(sheet));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace

ExperimentReport experiment_report(Engine& engine, const ExperimentReportOptions& options, EventSink& sink,
                                   const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return report_now(engine, options, caller); });
}

}  // namespace negativa
