#include "library/gallery.h"

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/temporary_folder.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

std::string png_of(const std::string& prompt, uint64_t seed, const std::string& lora = "") {
  Recipe recipe;
  recipe.verb = "generate";
  recipe.settings_json = canonical_json({{"prompt", prompt}, {"negative_prompt", "blurry"}});
  recipe.seed = seed;
  recipe.inputs = {{"model", "emoji-xl", "00"}};
  if (!lora.empty()) recipe.inputs.push_back({"lora", lora, "11"});
  return encode_png(Image8::filled(8, 4, {static_cast<uint8_t>(seed), 0, 0}), {{names::png_recipe, recipe.to_text()}});
}

class GalleryTest : public ::testing::Test {
 protected:
  GalleryTest() {
    for (const char* name : {"pictures/000001", "pictures/000002", "trash"}) fs::create_directories(folder_ / name);
    open();
  }
  void open() {
    gallery_.reset();
    gallery_ = std::make_unique<Gallery>(folder_.path(), folder_ / "index.sqlite",
                                         [this](const std::string& line) { notices_.push_back(line); });
  }
  void put(const std::string& name, const std::string& bytes) { write_atomically(folder_ / ("pictures/" + name), bytes); }
  std::vector<std::string> names(const GalleryQuery& query) {
    std::vector<std::string> found;
    for (const auto& picture : gallery_->search(query).pictures) found.push_back(picture.name);
    std::sort(found.begin(), found.end());
    return found;
  }
  GalleryQuery with_text(const std::string& text) {
    GalleryQuery query;
    query.text = text;
    return query;
  }

  TemporaryFolder folder_;
  std::vector<std::string> notices_;
  std::unique_ptr<Gallery> gallery_;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_F(GalleryTest, FindsPicturesByWhatMadeThem) {
  put("000001/0000.png", png_of("a big lion", 7, "wrong.safetensors"));
  put("000001/0001.png", png_of("a red apple, 100%", 18446744073709551615u));
  put("000002/0000.png",
      encode_png(Image8::filled(8, 8, white), {{"parameters", "a frog\nNegative prompt: bad\nSteps: 20, Seed: 42, Size: 8x8"}}));
  for (const char* name : {"000001/0000.png", "000001/0001.png", "000002/0000.png"}) gallery_->add(name);
  EXPECT_EQ(names(with_text("LION")), Names{"000001/0000.png"});
  EXPECT_EQ(names(with_text("blurry")), (Names{"000001/0000.png", "000001/0001.png"}));
  EXPECT_EQ(names(with_text("100%")), Names{"000001/0001.png"});
  EXPECT_EQ(names(with_text("a_big")), Names{});
  GalleryQuery query;
  query.lora = "wrong";
  EXPECT_EQ(names(query), Names{"000001/0000.png"});
  query = {};
  query.seed = "18446744073709551615";
  EXPECT_EQ(names(query), Names{"000001/0001.png"});
  query.seed = "42";
  EXPECT_EQ(names(query), Names{"000002/0000.png"});
  query = {};
  query.model = "emoji";
  query.folder = "000001";
  EXPECT_EQ(names(query).size(), 2);
  query.folder = "00000";
  EXPECT_EQ(names(query).size(), 0);
  query = {};
  query.to_ms = 0;
  EXPECT_EQ(names(query).size(), 0);
  query.to_ms = INT64_MAX;
  EXPECT_EQ(names(query).size(), 3);
}

TEST_F(GalleryTest, TurnsPagesNewestFirst) {
  for (int i = 0; i < 5; ++i) {
    const std::string name = fmt::format("000001/000{}.png", i);
    put(name, png_of("x", static_cast<uint64_t>(i)));
    gallery_->add(name);
  }
  GalleryQuery query;
  query.limit = 2;
  Names seen;
  for (int page = 0; page < 3; ++page) {
    const GalleryPage found = gallery_->search(query);
    EXPECT_EQ(found.total, 5);
    for (const auto& picture : found.pictures) seen.push_back(picture.name.substr(7, 4));
    query.after = found.pictures.back().name;
  }
  EXPECT_EQ(seen, (Names{"0004", "0003", "0002", "0001", "0000"}));
}

TEST_F(GalleryTest, ComesBackFromTheFilesAlone) {
  put("000001/0000.png", png_of("a lion", 1));
  put("000001/0001.png", png_of("a cat", 2));
  gallery_->add("000001/0000.png");
  gallery_->add("000001/0001.png");
  gallery_->rate("000001/0000.png", 4);
  gallery_->move_to_trash("000001/0001.png");
  const auto expect_whole = [&] {
    EXPECT_EQ(gallery_->count(), 2);
    EXPECT_EQ(gallery_->find("000001/0000.png")->rating, 4);
    EXPECT_EQ(gallery_->find("000001/0000.png")->prompt, "a lion");
    EXPECT_TRUE(gallery_->find("000001/0001.png")->trashed);
    EXPECT_EQ(names({}), Names{"000001/0000.png"});
  };
  open();
  expect_whole();
  gallery_.reset();
  fs::remove(folder_ / "index.sqlite");
  open();
  expect_whole();
  gallery_.reset();
  write_atomically(folder_ / "index.sqlite", "this is no database, and much too long for one that is empty");
  open();
  expect_whole();
  EXPECT_TRUE(contains(notices_.at(0), "index was damaged"));
}

// Of an earlier program or a later one: its tables may be any.
TEST_F(GalleryTest, MakesAnIndexOfAnotherVersionAnew) {
  put("000001/0000.png", png_of("a lion", 1));
  gallery_->add("000001/0000.png");
  gallery_->rate("000001/0000.png", 4);
  gallery_.reset();
  for (const int version : {0, 99}) {
    {
      Database index(folder_ / "index.sqlite");
      for (const std::string sql : {"DROP TABLE pictures", "CREATE TABLE pictures (other TEXT)", "DROP TABLE ratings"})
        index.run(sql);
      index.run("PRAGMA user_version = " + std::to_string(version));
    }
    open();
    EXPECT_EQ(gallery_->find("000001/0000.png")->prompt, "a lion");
    EXPECT_EQ(gallery_->find("000001/0000.png")->rating, 4);
    gallery_.reset();
  }
  EXPECT_TRUE(notices_.empty());
}

TEST_F(GalleryTest, SeesFilesThatCameWentAndChangedMeanwhile) {
  put("000001/0000.png", png_of("a lion", 1));
  put("000001/0001.png", png_of("a cat", 2));
  gallery_->add("000001/0000.png");
  gallery_->add("000001/0001.png");
  gallery_->rate("000001/0000.png", 5);
  gallery_.reset();
  fs::remove(folder_ / "pictures/000001/0001.png");
  fs::rename(folder_ / "pictures/000001/0000.png", folder_ / "pictures/000002/moved.png");
  put("000002/new.png", png_of("a dog", 3));
  open();
  EXPECT_EQ(names({}), (Names{"000002/moved.png", "000002/new.png"}));
  EXPECT_EQ(gallery_->find("000002/moved.png")->rating, 5);
  put("000002/new.png", png_of("another dog", 4));
  open();
  EXPECT_EQ(gallery_->find("000002/new.png")->prompt, "another dog");
}

TEST_F(GalleryTest, ShowsADamagedFileAsOne) {
  const std::string whole = png_of("a lion", 1);
  put("000001/cut.png", whole.substr(0, whole.size() - 20));
  put("000001/none.png", "hello");
  fs::create_symlink("/etc/hostname", folder_ / "pictures/000001/link.png");
  open();
  EXPECT_EQ(names({}), (Names{"000001/cut.png", "000001/none.png"}));
  EXPECT_TRUE(contains(gallery_->find("000001/cut.png")->damage, "000001/cut.png"));
  EXPECT_NE(gallery_->find("000001/none.png")->damage, "");
}

TEST_F(GalleryTest, MovesToTheTrashAndBack) {
  put("000001/0000.png", png_of("a lion", 1));
  gallery_->add("000001/0000.png");
  gallery_->move_to_trash("000001/0000.png");
  EXPECT_TRUE(fs::exists(folder_ / "trash/000001/0000.png"));
  EXPECT_EQ(gallery_->file("000001/0000.png"), folder_ / "trash/000001/0000.png");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { gallery_->move_to_trash("000001/0000.png"); }), "in the trash already"));
  gallery_->restore("000001/0000.png");
  EXPECT_EQ(names({}), Names{"000001/0000.png"});
  error_of(ErrorKind::input, [&] { gallery_->remove_for_ever("000001/0000.png"); });
  gallery_->move_to_trash("000001/0000.png");
  gallery_->remove_for_ever("000001/0000.png");
  EXPECT_EQ(gallery_->count(), 0);
  for (const char* name : {"000001/0000.png", "../library.json", "", "000001/../000001/0000.png"})
    error_of(ErrorKind::input, [&] { gallery_->file(name); });
}

// Its job was drawn a second time, since the program ended before it was through.
TEST_F(GalleryTest, LeavesInTheTrashWhatIsDrawnAgain) {
  put("000001/0000.png", png_of("a lion", 1));
  gallery_->add("000001/0000.png");
  gallery_->move_to_trash("000001/0000.png");
  put("000001/0000.png", png_of("a lion", 1));
  EXPECT_TRUE(gallery_->add("000001/0000.png").trashed);
  EXPECT_FALSE(fs::exists(folder_ / "pictures/000001/0000.png"));
}

TEST_F(GalleryTest, TakesPicturesFromElsewhereAsTheyAre) {
  const std::string bytes = png_of("a lion", 1);
  EXPECT_EQ(gallery_->import("cat.png", bytes).name, "imported/cat.png");
  EXPECT_EQ(gallery_->import("../../cat.png", bytes).name, "imported/cat-2.png");
  EXPECT_EQ(read_file(gallery_->file("imported/cat.png")), bytes);
  for (const char* name : {"", "cat", "..", ".png", ".hidden.png", "cat.txt"})
    error_of(ErrorKind::input, [&] { gallery_->import(name, bytes); });
  error_of(ErrorKind::file_format, [&] { gallery_->import("cat.png", "no picture"); });
}

TEST_F(GalleryTest, LosesAtMostTheRatingThatWasCut) {
  put("000001/0000.png", png_of("a lion", 1));
  put("000001/0001.png", png_of("a cat", 2));
  open();
  gallery_->rate("000001/0000.png", 3);
  gallery_->rate("000001/0001.png", 2);
  gallery_->rate("000001/0001.png", 0);
  gallery_.reset();
  const std::string text = read_file(folder_ / "ratings.jsonl");
  write_atomically(folder_ / "ratings.jsonl", "not JSON\n" + text + "{\"sha256\": \"12");
  open();
  EXPECT_EQ(gallery_->find("000001/0000.png")->rating, 3);
  EXPECT_EQ(gallery_->find("000001/0001.png")->rating, 0);
  EXPECT_EQ(notices_.size(), 2);
  EXPECT_EQ(read_file(folder_ / "ratings.jsonl"), "not JSON\n" + text);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { gallery_->rate("000001/0000.png", 6); }), "0..5"));
}

}  // namespace negativa
