// Builds .scap recordings, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ks::import {

template <typename T>
std::string Raw(T number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}
inline std::string Text16(std::string_view text) { return Raw(static_cast<uint16_t>(text.size())) + std::string(text); }
inline std::string CText(std::string_view text) { return std::string(text) + '\0'; }

inline std::string ScapBlock(uint32_t type, std::string body) {
  body.resize((body.size() + 3) / 4 * 4);
  const auto length = static_cast<uint32_t>(body.size() + 12);
  return Raw(type) + Raw(length) + body + Raw(length);
}

inline constexpr uint64_t kScapBoot = 1'600'000'000'000'000'000;  // since 1970

inline std::string ScapBegin() {
  std::string host = "node-1";
  host.resize(128);
  return ScapBlock(0x0A0D0D0A, Raw(0x1A2B3C4Du) + Raw(uint16_t{1}) + Raw(uint16_t{2}) + Raw(~uint64_t{0})) +
         ScapBlock(0x201, Raw(2u) + Raw(uint64_t{1} << 30) + Raw(uint64_t{32768}) + host + Raw(kScapBoot) + Raw(uint64_t{0}) + Raw(uint64_t{0}) + Raw(uint64_t{0}));
}

struct ScapProcess {
  int64_t tid = 10, pid = 10, parent = 1;
  std::string comm = "sh", exepath = "/bin/sh", args = CText("-c"), cwd = "/tmp/", environment = CText("SECRET=1"), cgroups = CText("cpu=/a");
  uint32_t flags = 0, uid = 1000, gid = 1000;
};

inline std::string ScapProcesses(const std::vector<ScapProcess>& processes) {
  std::string list;
  for (const ScapProcess& one : processes) {
    std::string entry = Raw(one.tid) + Raw(one.pid) + Raw(one.parent) + Raw(one.pid) + Raw(one.pid) + Text16(one.comm) + Text16("sh") + Text16(one.exepath) +
                        Text16(one.args) + Text16(one.cwd) + Raw(uint64_t{1024}) + Raw(one.flags) + Raw(one.uid) + Raw(one.gid);
    entry += Raw(0u) + Raw(0u) + Raw(0u) + Raw(uint64_t{0}) + Raw(uint64_t{0});
    entry += Text16(one.environment) + Raw(one.tid) + Raw(one.pid) + Text16(one.cgroups) + Text16("/");
    list += Raw(static_cast<uint32_t>(entry.size() + 4)) + entry;
  }
  return ScapBlock(0x215, list);
}

// Of block version 2: with the number of parameters.
inline std::string ScapEvent(int64_t tid, uint16_t type, const std::vector<std::string>& parameters, uint64_t time_ns = kScapBoot + 5'000'000'000) {
  std::string lengths, data;
  for (const std::string& one : parameters) {
    lengths += Raw(static_cast<uint16_t>(one.size()));
    data += one;
  }
  const auto length = static_cast<uint32_t>(26 + lengths.size() + data.size());
  return ScapBlock(0x216, Raw(uint16_t{1}) + Raw(time_ns) + Raw(tid) + Raw(length) + Raw(type) + Raw(static_cast<uint32_t>(parameters.size())) + lengths + data);
}

// Of version 1: without.
inline std::string ScapOldEvent(int64_t tid, uint16_t type, const std::vector<std::string>& parameters) {
  std::string lengths, data;
  for (const std::string& one : parameters) {
    lengths += Raw(static_cast<uint16_t>(one.size()));
    data += one;
  }
  const auto length = static_cast<uint32_t>(22 + lengths.size() + data.size());
  return ScapBlock(0x204, Raw(uint16_t{1}) + Raw(kScapBoot + 1) + Raw(tid) + Raw(length) + Raw(type) + lengths + data);
}

// Parameters of clone's exit, in the order of events.def.
inline std::vector<std::string> ScapClone(int64_t answer, int64_t tid, int64_t pid, int64_t parent, const std::string& comm, uint32_t flags = 0) {
  return {Raw(answer), CText("sh"), CText("-c"), Raw(tid), Raw(pid), Raw(parent), CText(""), Raw(int64_t{0}), Raw(uint64_t{0}), Raw(uint64_t{0}),
          Raw(0u), Raw(0u), Raw(0u), CText(comm), CText("cpu=/a"), Raw(flags), Raw(1000u), Raw(1000u), Raw(tid), Raw(pid)};
}

}  // namespace ks::import
