#include "jobs/lora_convert.h"

#include <algorithm>
#include <limits>

#include "base/file_names.h"
#include "jobs/job.h"
#include "jobs/lora_layers.h"
#include "lora/lora_writer.h"
#include "lora/notices.h"

namespace negativa {

namespace {

struct Conversion {
  LoraLayers layers;
  LoraFile lora;
  LoraConvertReport report;
};

Conversion read(const Engine& engine, const LoraConvertOptions& options, EventSink& events) {
  check(!options.file.empty(), ErrorKind::input,
        "[lora convert] a LoRA file is needed, as in negativa lora convert FILE -o OUT --format kohya");
  check(!options.out.empty(), ErrorKind::input, "[--out] is needed: the file to write");
  check(!options.format.empty(), ErrorKind::input, "[--format] is needed: diffusers, kohya or peft");
  check_not_an_input(options.out, {options.file});
  check_lora_name(options.out, dialect_from_name(options.format));
  Conversion conversion;
  conversion.layers = lora_layers(options.model, {options.file}, engine.places());
  conversion.lora = read_lora(options.file, conversion.layers.targets, options.allow_unmatched);
  const std::string name = last_name(options.file);
  for (const auto& line : lines_of_skipped(conversion.lora, name)) events.on_notice(line);
  for (const auto& line : lines_of_left_out(conversion.lora, name)) events.on_notice(line);
  check(count_layers(conversion.lora) > 0, ErrorKind::input,
        "[lora convert] {}: all its {} layers are switched off (alpha 0), expected one that is not; there is nothing to write",
        name, conversion.lora.coverage.off.size());
  auto& report = conversion.report;
  report.out = options.out;
  report.from = dialect_name(conversion.lora.dialect);
  report.to = options.format;
  report.model = conversion.layers.model;
  report.left_out = conversion.lora.coverage.unmatched;
  for_each_layer(conversion.lora, [&](const std::string& component, const std::string&) { ++report.layers[component]; });
  return conversion;
}

// Of two layers of one kind: the largest distance of their tensors, relative to the tensor.
double distance(const LayerChange& written, const LayerChange& original) {
  constexpr double another = std::numeric_limits<double>::infinity();
  const auto apart = [](const Tensor& a, const Tensor& b) {
    if (a.defined() != b.defined() || (a.defined() && a.sizes() != b.sizes())) return another;
    if (!a.defined() || at::equal(a, b)) return 0.0;
    return (a - b).norm().item<double>() / std::max(b.norm().item<double>(), 1e-30);
  };
  const bool same = written.kind == original.kind && written.pieces.size() == original.pieces.size() &&
                    written.magnitude.has_value() == original.magnitude.has_value() && written.rank == original.rank;
  if (!same) return another;
  double largest = apart(written.bias, original.bias);
  if (written.magnitude) largest = std::max(largest, apart(written.magnitude->values, original.magnitude->values));
  for (const auto& [piece, tensor] : original.pieces)
    largest = std::max(largest, written.pieces.contains(piece) ? apart(written.pieces.at(piece), tensor) : another);
  return std::max(largest, std::abs(written.scale - original.scale) / std::abs(original.scale));
}

double largest_change(const LayerChanges& written, const LayerChanges& original) {
  double largest = 0;
  for (const auto& [component, changes] : original)
    for (const auto& [name, change] : changes) {
      const auto part = written.find(component);
      const bool is_there = part != written.end() && part->second.contains(name);
      largest = std::max(largest, is_there ? distance(*part->second.at(name), *change) : std::numeric_limits<double>::infinity());
    }
  return largest;
}

double largest_change(const LoraFile& written, const LoraFile& lora) {
  double largest = largest_change(written.changes, lora.changes);
  for (const auto& [component, modules] : lora.modules)
    for (const auto& [name, module] : modules) {
      const auto part = written.modules.find(component);
      const bool is_there = part != written.modules.end() && part->second.contains(name);
      largest =
          std::max(largest, is_there ? delta_distance(part->second.at(name), module) : std::numeric_limits<double>::infinity());
    }
  return largest;
}

LoraConvertReport convert_now(const Engine& engine, const LoraConvertOptions& options, EventSink& events) {
  auto [layers, lora, report] = read(engine, options, events);
  write_lora(options.out, lora, {dialect_from_name(options.format), layers.targets.layout, lora.metadata});
  if (!std::filesystem::is_regular_file(options.out) && !std::filesystem::is_directory(options.out)) return report;  // a device
  report.largest_change = largest_change(read_lora(options.out, layers.targets), lora);
  check(report.largest_change <= 1e-6, ErrorKind::machine,
        "[lora convert] {} reads back with a layer changed by {:.1e}, expected at most 1e-6; is the disk sound?",
        options.out.string(), report.largest_change);
  return report;
}

}  // namespace

LoraConvertReport plan_lora_convert(Engine& engine, const LoraConvertOptions& options, EventSink& events,
                                    const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return read(engine, options, caller.events).report; });
}

LoraConvertReport lora_convert(Engine& engine, const LoraConvertOptions& options, EventSink& events, const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return convert_now(engine, options, caller.events); });
}

}  // namespace negativa
