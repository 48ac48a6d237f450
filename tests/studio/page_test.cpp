// The page's files: small, whole, and nothing in them that its content security policy would refuse.
#include "page.h"

#include <gtest/gtest.h>

#include <regex>

namespace negativa::test {

namespace {

const studio::PageFile* find(const std::string& path) {
  for (const auto& file : studio::page_files())
    if (file.path == path) return &file;
  return nullptr;
}

std::vector<std::string> all_matches(std::string_view text, const char* pattern) {
  const std::string kept(text);
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (auto match = std::sregex_iterator(kept.begin(), kept.end(), regex); match != std::sregex_iterator(); ++match)
    found.push_back((*match)[1]);
  return found;
}

}  // namespace

TEST(StudioPage, ItIsSmall) {
  size_t bytes = 0;
  for (const auto& file : studio::page_files()) {
    EXPECT_FALSE(file.bytes.empty()) << file.path;
    bytes += file.bytes.size();
  }
  EXPECT_LT(bytes, 250'000U);
}

TEST(StudioPage, EveryFileThatOneNamesIsServed) {
  ASSERT_NE(find("/"), nullptr);
  for (const auto& path : all_matches(find("/")->bytes, R"re((?:src|href)="(/[^"]*)")re")) EXPECT_NE(find(path), nullptr) << path;
  size_t imports = 0;
  for (const auto& file : studio::page_files())
    for (const auto& name : all_matches(file.bytes, R"re(from '\./([^']*)')re")) {
      EXPECT_NE(find("/" + name), nullptr) << file.path << " imports " << name;
      ++imports;
    }
  EXPECT_GT(imports, 50U);
  for (const char* place : {"draw", "gallery", "compare", "train", "loras", "experiments"})
    EXPECT_NE(find(std::string("/") + place + ".js"), nullptr) << place;
}

// Scripts and styles stand in files; texts never become markup.
TEST(StudioPage, NothingStandsInlineAndNoTextBecomesMarkup) {
  const std::string html(find("/")->bytes);
  EXPECT_TRUE(all_matches(html, R"re((<script(?![^>]*src=)[^>]*>))re").empty());
  EXPECT_TRUE(all_matches(html, R"re(<[^>]*\s(on[a-z]+|style)=)re").empty());
  EXPECT_EQ(html.find("<style"), std::string::npos);
  for (const auto& file : studio::page_files())
    for (const char* maker : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                              "http://", "https://", "DOMParser"}) {
      std::string text(file.bytes);
      for (const std::string space : {"http://www.w3.org/2000/svg"})  // the name of SVG, which nothing is loaded from
        if (const size_t at = text.find(space); at != std::string::npos) text.erase(at, space.size());
      EXPECT_EQ(text.find(maker), std::string::npos) << file.path << " has " << maker;
    }
}

}  // namespace negativa::test
