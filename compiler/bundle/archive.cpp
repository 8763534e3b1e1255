#include "compiler/bundle/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "compiler/bundle/bundle.h"

namespace ks::bundle {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kNameBytes = 100;
constexpr size_t kSizeAt = 124, kMtimeAt = 136, kOctalDigits = 11;
constexpr size_t kChecksumAt = 148, kChecksumBytes = 8;

size_t Padded(size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

// The only header that a member may have.
std::array<char, kBlock> Header(std::string_view name, uint64_t size, uint64_t mtime) {
  std::array<char, kBlock> block{};
  auto put = [&](size_t at, std::string_view text) { std::memcpy(block.data() + at, text.data(), text.size()); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(kSizeAt, fmt::format("{:011o}", size));
  put(kMtimeAt, fmt::format("{:011o}", mtime));
  put(kChecksumAt, "        ");
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  put(329, "0000000");
  put(337, "0000000");
  unsigned sum = 0;
  for (char c : block) sum += static_cast<unsigned char>(c);
  put(kChecksumAt, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return block;
}

std::optional<uint64_t> Octal(std::string_view digits) {
  uint64_t value = 0;
  for (char c : digits) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return value;
}

bool AllZero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

Error Refuse(std::string cause, size_t at) {
  return {"read the bundle's container", fmt::format("byte {}", at), std::move(cause),
          "a bundle is used as `ksc compile` wrote it; fetch or build it again", "container"};
}

// What differs, for the message: the header is refused anyway.
std::string_view WhatDiffers(std::string_view found, std::string_view expected) {
  static constexpr struct {
    size_t end;
    std::string_view what;
  } kParts[] = {{100, "name"},   {108, "mode"},      {116, "owner"},      {124, "group"},
                {136, "size"},   {148, "time"},      {156, "checksum"},   {157, "type: only regular files are allowed"},
                {257, "link"},   {265, "format"},    {329, "owner name"}, {345, "device numbers"},
                {500, "prefix"}, {kBlock, "padding"}};
  const auto at =
      static_cast<size_t>(std::mismatch(found.begin(), found.end(), expected.begin()).first - found.begin());
  // A wrong checksum alone is named as such; beside another difference it only follows from that.
  size_t where = at;
  if (at >= kChecksumAt && at < kChecksumAt + kChecksumBytes) {
    const size_t rest = kChecksumAt + kChecksumBytes;
    auto later = std::mismatch(found.begin() + rest, found.end(), expected.begin() + rest).first;
    if (later != found.end()) where = static_cast<size_t>(later - found.begin());
  }
  for (const auto& part : kParts) {
    if (where < part.end) return part.what;
  }
  return "header";
}

}  // namespace

bool IsMemberName(std::string_view name) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 64 && alnum(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::string WriteArchive(const std::vector<ArchiveMember>& members, uint64_t mtime) {
  KS_CHECK(mtime <= kMaxMtime, "the time does not fit a ustar header");
  KS_CHECK(members.size() <= kMaxMembers, "too many members");
  std::string out;
  for (const ArchiveMember& member : members) {
    KS_CHECK(IsMemberName(member.name), member.name);
    const auto header = Header(member.name, member.bytes.size(), mtime);
    out.append(header.data(), header.size());
    out.append(member.bytes);
    out.resize(Padded(out.size()), '\0');
  }
  out.resize(out.size() + 2 * kBlock, '\0');
  return out;
}

Result<Archive> ReadArchive(std::string_view bytes) {
  if (bytes.size() > kMaxBundleBytes) {
    return Error{"read the bundle's container", "the bundle",
                 fmt::format("it has {} bytes, {} are allowed", bytes.size(), kMaxBundleBytes),
                 "split the policy into several bundles", "bundle-too-large"};
  }
  Archive archive;
  size_t at = 0;
  while (true) {
    if (bytes.size() - at < 2 * kBlock) return Refuse("it ends before its two closing blocks", at);
    const std::string_view header = bytes.substr(at, kBlock);
    if (header[0] == 0) {
      if (!AllZero(bytes.substr(at, 2 * kBlock))) return Refuse("the closing blocks are not zero", at);
      if (at + 2 * kBlock != bytes.size()) return Refuse("there are bytes after the end", at + 2 * kBlock);
      break;
    }
    if (archive.members.size() == kMaxMembers) return Refuse(fmt::format("more than {} members", kMaxMembers), at);
    const std::string_view name = header.substr(0, std::min(header.find('\0'), kNameBytes));
    if (!IsMemberName(name)) return Refuse("a member has a name that is not allowed", at);
    for (const ArchiveMember& other : archive.members) {
      if (other.name == name) return Refuse(fmt::format("two members are named {}", name), at);
    }
    const auto size = Octal(header.substr(kSizeAt, kOctalDigits));
    const auto mtime = Octal(header.substr(kMtimeAt, kOctalDigits));
    if (!size || !mtime) return Refuse(fmt::format("size or time of {} is not a number", name), at);
    if (archive.members.empty()) archive.mtime = *mtime;
    const auto expected = Header(name, *size, archive.mtime);
    const std::string_view wanted(expected.data(), expected.size());
    if (header != wanted) {
      return Refuse(fmt::format("the header of {} is not what it must be: {}", name, WhatDiffers(header, wanted)), at);
    }
    at += kBlock;
    // Both are below 2^33: no overflow.
    if (*size > bytes.size() - at || Padded(*size) > bytes.size() - at) {
      return Refuse(fmt::format("{} claims {} bytes, more than there are", name, *size), at);
    }
    archive.members.push_back({std::string(name), bytes.substr(at, *size)});
    if (!AllZero(bytes.substr(at + *size, Padded(*size) - *size))) {
      return Refuse(fmt::format("the padding behind {} is not zero", name), at + *size);
    }
    at += Padded(*size);
  }
  if (archive.members.empty()) return Refuse("it has no members", 0);
  return archive;
}

}  // namespace ks::bundle
