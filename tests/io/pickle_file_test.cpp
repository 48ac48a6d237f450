// What torch.save wrote, bit for bit, and what it never wrote: refused without running anything.
#include "io/pickle_file.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <random>

#include "base/json.h"
#include "io_test.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace negativa {

namespace {

namespace fs = std::filesystem;

fs::path pickles(const std::string& name) { return golden("pickles") / name; }

std::string bits_of(const Tensor& tensor) {
  const auto whole = tensor.contiguous();
  return {static_cast<const char*>(whole.data_ptr()), whole.nbytes()};
}

// The same names, dtypes, shapes and bits.
void expect_same_tensors(const TensorFile& got, const TensorFile& expected) {
  ASSERT_EQ(got.entries().size(), expected.entries().size());
  for (const auto& entry : expected.entries()) {
    SCOPED_TRACE(entry.name);
    const auto* found = got.find(entry.name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->shape, entry.shape);
    EXPECT_EQ(found->dtype, entry.dtype);
    EXPECT_EQ(bits_of(got.load(*found)), bits_of(expected.load(entry)));
  }
}

std::string decoded(const std::string& text) {
  static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t held = 0;
  int bits = 0;
  for (const char digit : text) {
    if (digit == '=') break;
    held = held << 6 | static_cast<uint32_t>(digits.find(digit));
    if ((bits += 6) >= 8) bytes += static_cast<char>(held >> (bits -= 8));
  }
  return bytes;
}

std::map<std::string, std::string> hostile_files() {
  std::map<std::string, std::string> files;
  const Json kept = read_json_file(pickles("hostile.json"));
  for (const auto& [name, text] : kept.items()) files[name] = decoded(text.get<std::string>());
  files["a million marks"] = "\x80\2" + std::string(1'100'000, '(');
  files["three million dicts"] = "\x80\2(" + std::string(3'000'000, '}');
  return files;
}

long resident_peak_kb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

size_t open_files() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

}  // namespace

class Pickle : public testing::TestWithParam<const char*> {};

TEST_P(Pickle, HoldsWhatTheSameTensorsInASafetensorsFileHold) {
  expect_same_tensors(*open_tensor_file(pickles(GetParam())), *open_tensor_file(pickles("tensors.safetensors")));
}

INSTANTIATE_TEST_SUITE_P(Forms, Pickle,
                         testing::Values("zip.pt", "zip_1.pt", "zip_3.pt", "zip_4.pt", "zip_5.pt", "legacy.pt", "legacy_1.pt",
                                         "legacy_4.pt"),
                         [](const auto& info) { return fs::path(info.param).stem().string(); });

TEST(PickleFile, ReadsTheDTypesThatOnlyNewerFilesHave) {
  expect_same_tensors(*open_tensor_file(pickles("newer.pt")), *open_tensor_file(pickles("newer.safetensors")));
}

TEST(PickleFile, JoinsTheNamesOfDictsWithinDictsAndTakesDottedNumbersForTensors) {
  const auto file = open_tensor_file(pickles("nested.pt"));
  expect_same_tensors(*file, *open_tensor_file(pickles("nested.safetensors")));
  EXPECT_EQ(file->metadata(), (Metadata{{"name", "a name"}, {"step", "12"}}));
}

TEST(PickleFile, TakesTheStateDictOfATrainingCheckpointWhoseOtherKeysNameClasses) {
  const auto file = open_tensor_file(pickles("wrapped.ckpt"));
  expect_same_tensors(*file, *open_tensor_file(pickles("wrapped.safetensors")));
  EXPECT_EQ(file->left_out(), (std::vector<std::string>{"callbacks", "optimizer_states"}));
  EXPECT_EQ(file->metadata().at("global_step"), "470000");
}

TEST(PickleFile, ReadsTheParametersOfAWordForStableDiffusion1) {
  const auto file = open_tensor_file(pickles("word_sd1.pt"));
  expect_same_tensors(*file, *open_tensor_file(pickles("word_sd1.safetensors")));
  EXPECT_EQ(file->metadata().at("name"), "bad_hands");
}

TEST(PickleFile, LoadsRowsAndOtherDTypesOfAViewAtAnyAddress) {
  for (const char* form : {"zip.pt", "legacy.pt"}) {
    const auto file = open_tensor_file(pickles(form));
    for (const char* name : {"transposed", "every.second", "rows", "expanded"}) {
      const auto& entry = *file->find(name);
      const auto whole = file->load(entry);
      EXPECT_TRUE(at::equal(file->load_rows(entry, 1, 3), whole.slice(0, 1, 3))) << form << " " << name;
      EXPECT_TRUE(at::equal(file->load(entry, at::kDouble), whole.to(at::kDouble))) << form << " " << name;
    }
    EXPECT_EQ(file->load_rows(*file->find("empty"), 0, 0).numel(), 0);
    error_of(ErrorKind::shape, [&] { file->load_rows(*file->find("rows"), 0, 4); });
  }
}

TEST(PickleFile, IsKnownByItsBytesWhateverItsName) {
  const TemporaryFolder folder;
  fs::copy(pickles("zip.pt"), folder / "a.safetensors");
  fs::copy(pickles("legacy.pt"), folder / "b.safetensors");
  fs::copy(pickles("legacy_1.pt"), folder / "c.safetensors");
  fs::copy(pickles("tensors.safetensors"), folder / "d.ckpt");
  for (const char* name : {"a.safetensors", "b.safetensors", "c.safetensors", "d.ckpt"})
    EXPECT_EQ(open_tensor_file(folder / name)->entries().size(), 18u) << name;
}

// 30 of fickling's kinds and more of our own: no file, no process, no descriptor, no memory; one line that says what it is.
TEST(PickleFile, NeverRunsAnythingOfAHostileFile) {
  const TemporaryFolder folder;
  const auto before = fs::current_path();
  fs::current_path(folder.path());
  const size_t descriptors = open_files();
  const long peak = resident_peak_kb();
  for (const auto& [name, bytes] : hostile_files()) {
    SCOPED_TRACE(name);
    write_bytes(folder / "x.pt", bytes);
    const auto message = error_of(ErrorKind::file_format, [&] { open_tensor_file(folder / "x.pt"); });
    EXPECT_NE(message.find("x.pt"), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u) << message;
    const bool calls = name.find("fickling") == 0 || name.find("os.system") == 0 || name.find("nested") == 0;
    EXPECT_EQ(calls, calls && message.find("torch.load would too") != std::string::npos) << message;
  }
  fs::current_path(before);
  fs::remove(folder / "x.pt");
  EXPECT_TRUE(fs::is_empty(folder.path()));
  EXPECT_EQ(open_files(), descriptors);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a process was started";
  EXPECT_LT(resident_peak_kb() - peak, 400'000);
}

TEST(PickleFile, NamesWhatAHostileFileCallsOrIs) {
  const auto files = hostile_files();
  const TemporaryFolder folder;
  const auto message = [&](const std::string& name) {
    write_bytes(folder / "x.pt", files.at(name));
    return error_of(ErrorKind::file_format, [&] { open_tensor_file(folder / "x.pt"); });
  };
  for (const auto& [name, words] :
       std::map<std::string, std::string>{{"os.system protocol 0, bare", "calls posix.system"},
                                          {"os.system protocol 4, in an archive", "calls posix.system"},
                                          {"result called, bare", "calls __builtin__.__import__"},
                                          {"inst, bare", "calls os.system"},
                                          {"obj, bare", "calls os.system"},
                                          {"newobj, bare", "calls subprocess.Popen"},
                                          {"reconstructor, bare", "calls subprocess.Popen"},
                                          {"dotted name, bare", "calls collections.OrderedDict.fromkeys"},
                                          {"extension code, bare", "opcode EXT1"},
                                          {"out-of-band buffer, bare", "opcode NEXT_BUFFER"},
                                          {"persistent id of text, bare", "opcode PERSID"},
                                          {"compressed entry", "compressed entry archive/data.pkl"},
                                          {"encrypted entry", "encrypted entry archive/data.pkl"},
                                          {"overlapping entries", "overlap"},
                                          {"escaping entry", "leads out of the archive"},
                                          {"absolute entry", "leads out of the archive"},
                                          {"two pickles", "two entries data.pkl"},
                                          {"no pickle", "torch.save did not write"},
                                          {"script", "TorchScript"},
                                          {"big endian", "big-endian"},
                                          {"stride of 0", "four times its size"},
                                          {"beyond the storage", "beyond its storage of 16 bytes"},
                                          {"shape that overflows", "larger than any memory"},
                                          {"doubling lists", "more than"},
                                          {"a list in itself", "more than 32 deep"}})
    EXPECT_NE(message(name).find(words), std::string::npos) << name << ": " << message(name);
}

TEST(PickleFile, SurvivesEveryCutAndRandomDamageOfAFile) {
  std::mt19937 random(11);
  for (const char* form : {"zip.pt", "legacy.pt", "legacy_1.pt", "word_sd1.pt", "wrapped.ckpt"}) {
    const auto whole = read_bytes(pickles(form));
    const auto run = [](const std::string& bytes) {
      EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
    };
    for (size_t size = 0; size < whole.size(); size += 3) run(whole.substr(0, size));
    for (int round = 0; round < 600; ++round) {
      auto damaged = whole;
      for (auto places = 1 + random() % 3; places > 0; --places) damaged[random() % damaged.size()] = static_cast<char>(random());
      run(damaged);
    }
  }
}

}  // namespace negativa
