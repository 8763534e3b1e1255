#include "tools/ksc/html_page.h"

#include <fmt/format.h>
#include <zlib.h>

#include "compiler/bundle/base64.h"
#include "compiler/bundle/keys.h"
#include "report_css.h"
#include "report_html.h"
#include "report_js.h"

namespace ks::ksc {
namespace {

// Columns are read where they lie, by arrays of 8-byte numbers too.
void Align(std::string* bytes) { bytes->resize((bytes->size() + 7) / 8 * 8); }

// As the browser's DecompressionStream("deflate") reads it: the zlib format, which ends in a checksum.
Result<std::string> Compress(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  const int code = compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                             bytes.size(), Z_DEFAULT_COMPRESSION);
  if (code != Z_OK) {
    return Error{"compress the report's data", fmt::format("{} bytes", bytes.size()), zError(code),
                 "a report of fewer events (--report-events) needs less memory", "report-compress"};
  }
  out.resize(size);
  return out;
}

std::string SourceHash(std::string_view text) {
  const std::string hex = bundle::Sha256Hex(text);
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "'sha256-" + bundle::EncodeBase64(bytes) + "'";
}

}  // namespace

void PageData::AddBytes(std::string_view name, char type, size_t width, std::string_view bytes) {
  directory_ += fmt::format(R"({}"{}":["{}{}",{},{}])", directory_.empty() ? "" : ",", name, type, width * 8, columns_.size(),
                            bytes.size() / width);
  columns_ += bytes;
  Align(&columns_);
}

std::string PageData::ToBytes() const {
  const std::string json = fmt::format(R"({{"columns":{{{}}},{}}})", directory_, members_);
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(json.size() >> (8 * i));
  out += json;
  Align(&out);
  return out + columns_;
}

Result<std::string> HtmlPage(std::string_view data) {
  Result<std::string> compressed = Compress(data);
  if (!compressed) return compressed.error();
  const std::string_view css = embedded::report_css(), js = embedded::report_js(), html = embedded::report_html();
  const std::string policy =
      fmt::format("default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'", SourceHash(js),
                  SourceHash(css));
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
      "<title>Kubesentry report</title>\n<style>{}</style>\n</head>\n<body>\n{}\n"
      "<script type=\"application/octet-stream\" id=\"data\">{}</script>\n<script>{}</script>\n</body>\n</html>\n",
      policy, css, html, bundle::EncodeBase64(*compressed), js);
}

}  // namespace ks::ksc
