// A trace in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runtime/event/in_place.h"
#include "runtime/trace/trace.h"

namespace ks::trace {

inline const HostFacts kHost = {"n1", "6.18.0", "x86_64", "5d4c2f"};

class Trace : public testing::Test {
 protected:
  Trace() {
    std::string pattern = testing::TempDir() + "kst-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Trace() override { std::filesystem::remove_all(folder_); }
  std::string Path() const { return folder_ + "/t.kst"; }

  static std::string Slurp(const std::string& path) { return *ReadFile(path, 1 << 28); }
  void Spill(std::string_view bytes) const {
    std::ofstream(Path(), std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  void Write(const std::vector<event::Event>& events, const std::vector<Lost>& losses = {}) const {
    Result<Writer> writer = Writer::Create(Path(), kHost);
    ASSERT_TRUE(writer) << writer.error().ToString();
    for (const event::Event& event : events) ASSERT_TRUE(writer->Add(event));
    for (const Lost& lost : losses) ASSERT_TRUE(writer->AddLost(lost));
    ASSERT_TRUE(writer->Close());
  }

  struct Read {
    std::vector<event::Event> events;
    std::vector<Lost> losses;
    Info info;
    Status status = Ok();
  };
  // A reader uses an event again: what a field without a value holds is chance.
  static event::Event Kept(const event::Event& event) {
    event::Event kept = event;
    for (const schema::FieldRow& row : schema::Fields()) {
      const schema::FieldValue& field = event.record[row.id];
      if (!event::HasValue(field)) kept.record.Set(row.id, {}, field.status);
    }
    return kept;
  }
  Read ReadBack() const {
    Read read;
    Result<Reader> reader = Reader::Open(Path());
    if (!reader) {
      read.status = reader.error();
      return read;
    }
    read.info = reader->info();
    read.status = reader->ForEach([&](const event::Event& event) { read.events.push_back(Kept(event)); },
                                  [&](const Lost& lost) { read.losses.push_back(lost); });
    return read;
  }

  std::string folder_;
};

}  // namespace ks::trace
