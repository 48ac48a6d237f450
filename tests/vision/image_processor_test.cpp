#include "vision/image_processor.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"

namespace negativa {
namespace {

Image8 golden_picture(const std::string& name) { return read_image(test::source_folder() / "tests/golden/vision" / name); }

TEST(ImageProcessor, GivesThePixelsOfTransformersInEverySpellingOfItsFields) {
  const auto file = test::golden("vision");
  const Json processors = parse_json(file->metadata().at("processors"), "processors"),
             shown = parse_json(file->metadata().at("shown"), "shown");
  ASSERT_GE(processors.size(), 10u);
  for (const auto& [name, config] : processors.items())
    for (const auto& picture : shown) {
      const auto key = fmt::format("pixels.{}.{}", name, picture.get<std::string>());
      const Tensor expected = file->load(key),
                   got = ImageProcessor::parse(config.dump(), name).pixels(golden_picture(picture.get<std::string>()));
      ASSERT_EQ(shape_of(got), shape_of(expected)) << key;
      EXPECT_LE((got - expected).abs().max().item<double>(), 1e-6) << key;
    }
}

TEST(ImageProcessor, TakesClipsOwnValuesForAbsentKeysAndReadsTheJointFileOfTransformers5) {
  const auto processor = ImageProcessor::parse("{}", "config");
  EXPECT_EQ(processor.shortest_edge, 224);
  EXPECT_EQ(processor.crop_size.width, 224);
  EXPECT_FLOAT_EQ(processor.mean[2], 0.40821073f);
  EXPECT_EQ(processor.output_size()->height, 224);
  TemporaryFolder folder;
  write_atomically(folder / "processor_config.json",
                   R"({"image_processor": {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}})");
  EXPECT_EQ(ImageProcessor::load(folder.path()).shortest_edge, 32);
}

TEST(ImageProcessor, RefusesWhatCannotBeAndAPictureThatWouldBecomeLongerThanAnyPicture) {
  for (const char* text :
       {"[]", R"({"size": "224"})", R"({"size": 0})", R"({"size": [224]})", R"({"size": {"longest_edge": 224}})",
        R"({"size": {"shortest_edge": 224, "longest_edge": 300}})", R"({"crop_size": {"shortest_edge": 224}})",
        R"({"crop_size": -1})", R"({"crop_size": {"height": 100000, "width": 224}})", R"({"resample": 0})", R"({"resample": 5})",
        R"({"image_mean": [0.5]})", R"({"image_std": [0.5, 0, 0.5]})", R"({"image_std": 0})", R"({"do_resize": 1})",
        R"({"rescale_factor": "1/255"})"})
    EXPECT_NE(error_of(ErrorKind::file_format, [&] { ImageProcessor::parse(text, "config.json"); }).find("[config.json]"),
              std::string::npos)
        << text;
  const Image8 thread = Image8::filled(1, 5'000'000, white);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { ImageProcessor().pixels(thread); }), "too long"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { ImageProcessor().pixels({}); }), "without pixels"));
}

}  // namespace
}  // namespace negativa
