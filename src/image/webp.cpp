#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "base/error.h"
#include "image/image.h"
#include "image/raw_picture.h"

namespace negativa {

namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};
using Demuxer = std::unique_ptr<WebPDemuxer, DeleteDemuxer>;

const uint8_t* data_of(std::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

[[noreturn]] void refuse(VP8StatusCode status, std::string_view where) {
  check(status != VP8_STATUS_OUT_OF_MEMORY, ErrorKind::machine, "[{}] libwebp found no memory", where);
  const bool early = status == VP8_STATUS_NOT_ENOUGH_DATA || status == VP8_STATUS_SUSPENDED;
  fail(ErrorKind::file_format, "[{}] is not a correct WebP file: {}", where,
       early ? "the file ends early" : "its data is damaged");
}

std::string chunk_of(const WebPDemuxer* demuxer, const char* name) {
  WebPChunkIterator found;
  if (!WebPDemuxGetChunk(demuxer, name, 1, &found)) return "";
  std::string bytes(reinterpret_cast<const char*>(found.chunk.bytes), found.chunk.size);
  WebPDemuxReleaseChunkIterator(&found);
  return bytes;
}

}  // namespace

RawPicture read_raw_webp(std::string_view bytes, std::string_view where) {
  WebPDecoderConfig config;
  check(WebPInitDecoderConfig(&config), ErrorKind::machine, "[{}] libwebp is of another version than its header", where);
  if (const auto status = WebPGetFeatures(data_of(bytes), bytes.size(), &config.input); status != VP8_STATUS_OK)
    refuse(status, where);
  check_pixels(config.input.width, config.input.height, where);
  const WebPData data{data_of(bytes), bytes.size()};
  const Demuxer demuxer(WebPDemux(&data));  // only of whole files
  if (!demuxer) refuse(VP8_STATUS_NOT_ENOUGH_DATA, where);
  check(!config.input.has_animation, ErrorKind::file_format,
        "[{}] is an animated WebP picture of {} frames, expected a still one; save the frames you want by themselves", where,
        WebPDemuxGetI(demuxer.get(), WEBP_FF_FRAME_COUNT));

  RawPicture picture;
  picture.width = config.input.width;
  picture.height = config.input.height;
  picture.channels = config.input.has_alpha ? 4 : 3;
  picture.profile = chunk_of(demuxer.get(), "ICCP");
  picture.exif = chunk_of(demuxer.get(), "EXIF");
  picture.pixels.resize(static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height) *
                        static_cast<size_t>(picture.channels));
  config.output.colorspace = config.input.has_alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {picture.pixels.data(), picture.width * picture.channels, picture.pixels.size()};
  const auto status = WebPDecode(data_of(bytes), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) refuse(status, where);
  return picture;
}

}  // namespace negativa
