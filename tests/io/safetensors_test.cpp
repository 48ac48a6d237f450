#include "io/safetensors.h"

#include <random>

#include "base/sha256.h"
#include "io/io_test.h"

namespace negativa {

namespace {
std::string file_bytes(const std::string& header, const std::string& data = {}) {
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

const std::string two_floats = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

struct Hostile {
  const char* what;
  std::string bytes;
  const char* message;  // part of the one line
};

std::string nested(int depth) {
  std::string json = R"({"a":{"dtype":"F32","shape":)";
  return json + std::string(depth, '[') + std::string(depth, ']') + R"(,"data_offsets":[0,0]}})";
}

std::vector<Hostile> hostile_files() {
  const std::string data(8, '\0');
  const auto entry = [](const std::string& name, const std::string& shape, const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& json) { return file_bytes("{" + json + "}", data); };
  std::string huge_length = file_bytes("{}");
  huge_length[7] = '\x7f';
  std::string bomb = file_bytes("{" + std::string(100, ' ') + "}");
  bomb[0] = '\x01', bomb[1] = '\xe1', bomb[2] = '\xf5', bomb[3] = '\x05';  // 100,000,001
  return {
      {"empty file", "", "truncated"},
      {"seven bytes", std::string(7, '\0'), "truncated"},
      {"header longer than the file", file_bytes("{}").substr(0, 9), "truncated"},
      {"header of 2^63 bytes", huge_length, "not a safetensors file"},
      {"header bomb", bomb, "100000000"},
      {"no header", file_bytes(""), "not begin"},
      {"leading space", file_bytes(" {}"), "not begin"},
      {"array", file_bytes("[]"), "not begin"},
      {"cut JSON", file_bytes("{" + two_floats, data), "not valid JSON"},
      {"text after the JSON", file_bytes("{}x"), "not valid JSON"},
      {"zero byte after the JSON", file_bytes(std::string("{}\0{", 4)), "zero byte"},
      {"invalid UTF-8", one(entry("a\xff", "[2]", "[0,8]")), "not valid JSON"},
      {"truncated data", file_bytes("{" + two_floats + "}", "1234567"), "a] data ends at 8, but the file holds 7"},
      {"trailing bytes", file_bytes("{" + two_floats + "}", data + "x"), "1 bytes follow"},
      {"hole", one(entry("a", "[1]", "[4,8]")), "belong to no tensor"},
      {"overlap", one(entry("a", "[2]", "[0,8]") + "," + entry("b", "[1]", "[4,8]")), "inside the tensor before"},
      {"begin after end", one(entry("a", "[2]", "[8,0]")), "begin <= end"},
      {"one offset", one(entry("a", "[2]", "[8]")), "begin <= end"},
      {"negative offset", one(entry("a", "[2]", "[-8,0]")), "a negative number"},
      {"wrong number of elements", one(entry("a", "[3]", "[0,8]")), "expected 12 for shape [3] of F32"},
      {"product of 2^64", one(entry("a", "[4294967296,4294967296]", "[0,8]")), "63 bits"},
      {"size of 2^64", one(entry("a", "[4611686018427387904]", "[0,8]")), "63 bits"},
      {"overflow beside a zero", one(entry("a", "[4294967296,4294967296,0]", "[0,0]")), "63 bits"},
      {"axis of 2^64 - 1", one(entry("a", "[18446744073709551615]", "[0,8]")), "2^63"},
      {"axis that is no integer", one(entry("a", "[2.0]", "[0,8]")), "not whole"},
      {"shape that is a number", one(entry("a", "2", "[0,8]")), "expected an array"},
      {"same name twice", one(two_floats + "," + two_floats), "twice"},
      {"same field twice", one(R"("a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "twice"},
      {"field that is not known", one(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":"y"})"), "\"x\""},
      {"field missing", one(R"("a":{"dtype":"F32","shape":[2]})"), "expected all three"},
      {"tensor that is a number", one(R"("a":1)"), "expected an object"},
      {"dtype that is not known", one(R"("a":{"dtype":"F4","shape":[2],"data_offsets":[0,8]})"), "\"F4\""},
      {"metadata that is a number", one(R"("__metadata__":{"n":1},)" + two_floats), "expected a string"},
      {"metadata that is nested", one(R"("__metadata__":{"n":{}},)" + two_floats), "expected a string"},
      {"metadata that is a string", one(R"("__metadata__":"x",)" + two_floats), "expected an object"},
      {"nested 70 deep", file_bytes(nested(70)), "expected whole numbers"},
      {"a long name", one(entry(std::string(5000, 'n') + "\\u0001", "[3]", "[0,8]")), "nnn"},
  };
}

std::shared_ptr<const SafetensorsFile> open_bytes(const TemporaryFolder& folder, const std::string& bytes) {
  write_bytes(folder / "x.safetensors", bytes);
  return SafetensorsFile::open(folder / "x.safetensors");
}

std::map<std::string, Tensor> golden_tensors() {
  return {
      {"b.half", at::arange(6, at::kHalf).reshape({2, 3})},
      {"a.float", at::tensor({0.5f, -1.25f})},
      {"c.bf16", at::tensor({1.5f}).to(at::kBFloat16).reshape({1, 1})},
      {"scalar", at::scalar_tensor(3.0f)},
      {"empty", at::zeros({0, 4})},
      {"ids", at::tensor(std::vector<int64_t>{1, -2})},
      {"mask", at::tensor({1, 0, 1}).to(at::kBool)},
      {"byte", at::tensor({7}).to(at::kByte)},
      {"fp8", at::tensor({1.0f, -448.0f}).to(at::kFloat8_e4m3fn)},
      {"quote\"\\\n\u00e9\u0001/", at::tensor({1}).to(at::kInt)},
  };
}
}  // namespace

TEST(Safetensors, RejectsEveryHostileFileInOneLineThatNamesIt) {
  const TemporaryFolder folder;
  for (const auto& file : hostile_files()) {
    SCOPED_TRACE(file.what);
    const auto message = error_of(ErrorKind::file_format, [&] { open_bytes(folder, file.bytes); });
    EXPECT_NE(message.find("x.safetensors"), std::string::npos) << message;
    EXPECT_LT(message.size(), 400u) << message;
    EXPECT_NE(message.find(file.message), std::string::npos) << message;
  }
}

TEST(Safetensors, SurvivesEveryCutAndRandomDamageOfAFile) {
  const TemporaryFolder folder;
  const auto whole = read_bytes(golden("writer.safetensors"));
  for (size_t size = 0; size < whole.size(); ++size)
    error_of(ErrorKind::file_format, [&] { open_bytes(folder, whole.substr(0, size)); });
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    auto damaged = whole;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    try {
      const auto file = open_bytes(folder, damaged);
      for (const auto& entry : file->entries()) EXPECT_LE(entry.end, damaged.size());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::file_format);
    }
  }
}

TEST(Safetensors, AcceptsScalarsEmptyTensorsPaddingAndAnyOrderInTheHeader) {
  const TemporaryFolder folder;
  const auto file = open_bytes(
      folder,
      file_bytes(R"({"b":{"data_offsets":[4,8],"dtype":"F32","shape":[]},"e":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]},)"
                 R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"k":"v"}}         )",
                 std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
  ASSERT_EQ(file->entries().size(), 3u);
  EXPECT_EQ(file->entries()[0].name, "a");
  EXPECT_EQ(file->load("a").item<float>(), 1.0f);
  EXPECT_EQ(shape_of(file->load("b")), Shape{});
  EXPECT_EQ(file->load("b").item<float>(), 2.0f);
  EXPECT_EQ(shape_of(file->load("e")), (Shape{3, 0}));
  EXPECT_EQ(file->metadata().at("k"), "v");
  EXPECT_EQ(file->find("c"), nullptr);
  EXPECT_NE(error_of(ErrorKind::missing_key, [&] { file->load("c"); }).find("\"c\""), std::string::npos);
}

TEST(Safetensors, WritesTheBytesOfTheFormatsOwnWriter) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", golden_tensors(), {{"format", "pt"}});
  EXPECT_EQ(read_bytes(folder / "x.safetensors"), read_bytes(golden("writer.safetensors")));
  write_safetensors(folder / "empty.safetensors", {});
  EXPECT_EQ(read_bytes(folder / "empty.safetensors"), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));  // sdxl.md 10.3
}

TEST(Safetensors, ReadsBackWhatItWroteInEveryDType) {
  const TemporaryFolder folder;
  std::map<std::string, Tensor> tensors;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
                           at::kByte, at::kBool, at::kFloat8_e4m3fn, at::kFloat8_e5m2, at::kUInt16, at::kUInt32, at::kUInt64})
    tensors[c10::toString(dtype)] = at::arange(1, 8, at::kFloat).to(dtype);
  tensors["strided"] = at::arange(12, at::kFloat).reshape({3, 4}).t();
  write_safetensors(folder / "x.safetensors", tensors);
  const auto file = SafetensorsFile::open(folder / "x.safetensors");
  ASSERT_EQ(file->entries().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const auto loaded = file->load(name);
    EXPECT_EQ(loaded.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(loaded.to(at::kDouble), tensor.to(at::kDouble))) << name;
  }
}

TEST(Safetensors, CastsWhileLoadingAlsoFromOddAddresses) {
  const TemporaryFolder folder;
  // One unpadded byte before the halves puts them at an odd address.
  const auto file = open_bytes(folder, file_bytes(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                                  R"("h":{"dtype":"F16","shape":[2,1],"data_offsets":[1,5]}})",
                                                  std::string("\x07\0\x3c\0\xc0", 5)));
  EXPECT_TRUE(at::equal(file->load("h", at::kFloat), at::tensor({1.0f, -2.0f}).reshape({2, 1})));
  EXPECT_TRUE(at::equal(file->load_rows(*file->find("h"), 1, 2, at::kFloat), at::tensor({-2.0f}).reshape({1, 1})));
  error_of(ErrorKind::shape, [&] { file->load_rows(*file->find("h"), 1, 3); });
}

TEST(Safetensors, HashesTheDataWithoutTheHeader) {
  const TemporaryFolder folder;
  const auto file = open_bytes(folder, file_bytes("{" + two_floats + "}", "12345678"));
  EXPECT_EQ(file->data_sha256(), sha256_hex(std::string_view("12345678")));
}

TEST(Safetensors, LeavesTheOldFileWhenItCannotWrite) {
  const TemporaryFolder folder;
  write_bytes(folder / "x.safetensors", "old");
  error_of(ErrorKind::input, [&] { write_safetensors(folder / "x.safetensors", {{"bad\xff", at::zeros({1})}}); });
  error_of(ErrorKind::input, [&] { write_safetensors(folder / "x.safetensors", {{"__metadata__", at::zeros({1})}}); });
  error_of(ErrorKind::input, [&] { write_safetensors(folder / "missing/x.safetensors", {}); });
  EXPECT_EQ(read_bytes(folder / "x.safetensors"), "old");
}

}  // namespace negativa
