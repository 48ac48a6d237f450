// Rates of the CPU's kernels on one thread, each as a share of what this machine does at best under the same instruction set: the
// library's matrix product for kernels that multiply, copying in memory for those that stream. `negativa_bench_kernels [--isa
// NAME] [options of Google Benchmark]`; prints a table in Markdown. `make bench BENCH=kernels` runs it under each instruction
// set.
#include "nn/isa/kernels.h"

#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "base/recipe.h"
#include "core/device.h"
#include "core/isa.h"
#include "nn/cast_weight.h"
#include "nn/cpu_kernels.h"
#include "nn/products.h"
#include "train/optimizer.h"

namespace negativa {
namespace {

// What one call does: floating-point operations, or bytes read and written.
struct Work {
  double flop = 0, bytes = 0;
};

void add(const std::string& name, Work work, std::function<void()> call) {
  benchmark::RegisterBenchmark(name.c_str(), [work, call](benchmark::State& state) {
    const c10::InferenceMode inference;
    for (auto _ : state) call();
    const auto rate = [](double amount) { return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate); };
    if (work.flop > 0) state.counters["flop"] = rate(work.flop);
    if (work.bytes > 0) state.counters["bytes"] = rate(work.bytes);
  });
}

Tensor picture(int64_t channels, int64_t side) {
  return at::randn({2, channels, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
}

void add_best() {
  const Tensor a = at::randn({1024, 1024}), b = at::randn({1024, 1024});
  const Work product{.flop = 2.0 * 1024 * 1024 * 1024};
  add("best product: BLAS, 1024^3", product, [=] { at::mm(a, b); });
  add("best product: oneDNN, 1024^3", product, [=] { nn::cpu::linear(a, b, {{}, {}}); });
  const Tensor from = at::zeros({64 << 20}, at::kByte), to = at::ones_like(from);
  add("best copy: 64 MiB", {.bytes = 2.0 * from.numel()},
      [=] { std::memcpy(to.data_ptr(), from.data_ptr(), static_cast<size_t>(from.numel())); });
}

void add_products() {
  for (const auto& [rows, in, out] : {std::array<int64_t, 3>{512, 64, 64}, {512, 128, 128}, {154, 320, 640}}) {
    const Tensor x = at::randn({rows, in}), packed = nn::cpu::pack_linear(at::randn({out, in})), dy = at::randn({rows, out}),
                 weight = at::randn({out, in}), narrow = at::randn({rows, 4});
    const double flop = 2.0 * static_cast<double>(rows * in * out);
    const std::string shape = fmt::format("{}x{}x{}", rows, in, out);
    add("linear " + shape, {.flop = flop}, [=, out = out] { nn::cpu::packed_linear(x, packed, out, {{}, {}}); });
    add("gradient of linear " + shape, {.flop = flop}, [=] { nn::product(dy, weight); });
    add(fmt::format("gradient of rank 4, {}x{}", rows, out), {.flop = 8.0 * static_cast<double>(rows * out)},
        [=] { nn::product_over_rows(dy, narrow); });
  }
  for (const auto& [channels, side, stride] : {std::array<int64_t, 3>{64, 16, 1}, {128, 16, 1}, {128, 16, 2}}) {
    const Tensor x = picture(channels, side), weight = at::randn({channels, channels, 3, 3});
    const nn::cpu::ConvShape shape{3, stride, 1, channels};
    const Tensor packed = nn::cpu::pack_conv(weight, shape);
    add(fmt::format("convolution 3x3{}, {} channels, {}x{}", stride == 2 ? " stride 2" : "", channels, side, side),
        {.flop = 2.0 * 2 * 9 * static_cast<double>(channels * channels * side * side / (stride * stride))}, [=] {
          nn::cpu::packed_conv2d(x, packed, {{}, {}}, shape);
        });
  }
  for (const auto& [channels, side] : {std::array<int64_t, 2>{320, 64}, {1280, 16}}) {
    const Tensor x = picture(channels, side),
                 weight = at::randn({channels, channels, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
    const Work work{.flop = 2.0 * 2 * 9 * static_cast<double>(channels * channels * side * side)};
    const std::string shape = fmt::format("{} channels, {}x{}", channels, side, side);
    add("convolution 3x3, " + shape, work, [=] { nn::cpu::transforming_conv2d(x, weight, {{}, {}}); });
    add("library's convolution 3x3, " + shape, work, [=] { at::conv2d(x, weight, {}, 1, 1); });
  }
  for (const auto& [queries, keys, heads, dim] : {std::array<int64_t, 4>{256, 256, 4, 16}, {64, 64, 4, 32}, {256, 77, 4, 16}}) {
    const Tensor q = at::randn({2, queries, heads * dim}), k = at::randn({2, keys, heads * dim}), v = at::randn_like(k);
    add(fmt::format("attention, {} queries, {} keys, {} heads of {}", queries, keys, heads, dim),
        {.flop = 8.0 * static_cast<double>(queries * keys * heads * dim)},
        [=, heads = heads] { nn::cpu::attention(q, k, v, heads); });
  }
}

void add_streams() {
  const Tensor x = picture(320, 96), ones = at::ones({320}), zeros = at::zeros({320});
  const double bytes = 4.0 * static_cast<double>(x.numel());
  for (const bool silu : {false, true})
    add(silu ? "group norm and SiLU" : "group norm", {.bytes = 3 * bytes}, [=] {
      nn::cpu::group_norm(x, ones, zeros, {32, 1e-5, silu});
    });
  const Tensor tokens = at::randn({18432, 320}), halves = at::randn({4608, 2560});
  add("layer norm", {.bytes = 8.0 * static_cast<double>(tokens.numel())},
      [=] { nn::cpu::layer_norm(tokens, ones, zeros, 1e-5); });
  add("GEGLU", {.bytes = 6.0 * static_cast<double>(halves.numel())}, [=] { nn::cpu::geglu(halves); });
  const Tensor int8 = at::randint(-127, 127, {4096, 1280}, at::kChar), scale = at::rand({4096}), like = at::empty({1});
  add("int8 weights to fp32", {.bytes = 5.0 * static_cast<double>(int8.numel())}, [=] { nn::cast_weight(int8, scale, like); });
  const auto parameters = std::make_shared<Tensor>(at::randn({4 << 20}));
  const auto state = std::make_shared<AdamWState>(*parameters);
  const Tensor gradient = at::randn_like(*parameters);
  const std::vector<ParameterGroup> groups = {{0, parameters->numel(), 1e-4, 1e-4}};
  add("AdamW", {.bytes = 28.0 * static_cast<double>(parameters->numel())},  // reads four numbers of each parameter, writes three
      [=] { adamw_step(*parameters, gradient, *state, groups, {}); });
}

// The best rates come first; every other kernel's is a share of one of them.
class Table : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf("\n%s, --isa %s\n\n| kernel | rate | share |\n|---|---|---|\n", processor_name().c_str(),
                isa_name(active_isa()).c_str());
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) {
      if (run.repetitions > 1 && run.aggregate_name != "median") continue;
      for (const auto& [name, counter] : run.counters) report(run.run_name.function_name, name, counter.value);
    }
  }

 private:
  void report(const std::string& kernel, const std::string& unit, double rate) {
    double& best = unit == "flop" ? product_ : copy_;
    if (kernel.starts_with("best")) best = std::max(best, rate);
    const std::string share = best > 0 ? fmt::format("{:.0f} %", 100 * rate / best) : "";
    std::printf("| %s | %.1f %s | %s |\n", kernel.c_str(), rate / 1e9, unit == "flop" ? "GFLOP/s" : "GB/s", share.c_str());
  }

  double product_ = 0, copy_ = 0;  // a second
};

}  // namespace
}  // namespace negativa

int main(int argc, char** argv) {
  using namespace negativa;
  std::vector<char*> rest = {argv[0]};
  std::string isa = "auto";
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--isa" && i + 1 < argc)
      isa = argv[++i];
    else
      rest.push_back(argv[i]);
  try {
    choose_isa(isa_from_name(isa));
  } catch (const Error& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 2;
  }
  for (const auto& [variable, value] : library_caps(active_isa())) ::setenv(variable, value, 1);
  set_threads(1);
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  add_best();
  add_products();
  add_streams();
  Table table;
  benchmark::RunSpecifiedBenchmarks(&table);
  return 0;
}
