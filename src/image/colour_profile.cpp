#include "image/colour_profile.h"

#include <lcms2.h>

#include <array>
#include <memory>

namespace negativa {

namespace {

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
using Profile = std::unique_ptr<void, CloseProfile>;  // lcms2's handles are void*
using Transform = std::unique_ptr<void, DeleteTransform>;

Transform to_srgb(const Profile& from, cmsUInt32Number input, cmsUInt32Number output) {
  const Profile srgb(cmsCreate_sRGBProfile());
  return Transform(cmsCreateTransform(from.get(), input, srgb.get(), output, INTENT_PERCEPTUAL, cmsFLAGS_COPY_ALPHA));
}

// A grey picture has 256 colours.
bool convert_grey(RawPicture& picture, const Profile& from) {
  const Transform transform = to_srgb(from, TYPE_GRAY_8, TYPE_RGB_8);
  if (!transform) return false;
  std::array<uint8_t, 256> grey;
  std::array<uint8_t, 3 * 256> colours;
  for (size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<uint8_t>(i);
  cmsDoTransform(transform.get(), grey.data(), colours.data(), static_cast<cmsUInt32Number>(grey.size()));
  const auto channels = static_cast<size_t>(picture.channels);
  for (size_t i = 0; i < picture.pixels.size(); i += channels) {
    const uint8_t* colour = &colours[size_t{3} * picture.pixels[i]];
    std::copy(colour, colour + 3, &picture.pixels[i]);
  }
  return true;
}

bool convert_rgb(RawPicture& picture, const Profile& from) {
  const cmsUInt32Number format = picture.channels == 4 ? TYPE_RGBA_8 : TYPE_RGB_8;
  const Transform transform = to_srgb(from, format, format);
  if (!transform) return false;
  const size_t row = static_cast<size_t>(picture.width) * static_cast<size_t>(picture.channels);
  for (size_t begin = 0; begin < picture.pixels.size(); begin += row)  // in place
    cmsDoTransform(transform.get(), &picture.pixels[begin], &picture.pixels[begin], static_cast<cmsUInt32Number>(picture.width));
  return true;
}

}  // namespace

std::string convert_to_srgb(RawPicture& picture) {
  if (picture.profile.empty()) return picture.profile_fault;
  const Profile profile(cmsOpenProfileFromMem(picture.profile.data(), static_cast<cmsUInt32Number>(picture.profile.size())));
  if (!profile) return "it is broken";
  const auto space = cmsGetColorSpace(profile.get());
  if (space != (picture.is_grey ? cmsSigGrayData : cmsSigRgbData))
    return picture.is_grey ? "it is not for grey pictures" : "it is not for RGB pictures";
  const bool done = picture.is_grey ? convert_grey(picture, profile) : convert_rgb(picture, profile);
  return done ? "" : "it is broken";
}

}  // namespace negativa
