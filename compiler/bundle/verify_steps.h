// Steps of verification that signing and inspecting share with it.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/envelope.h"

namespace ks::bundle {

struct Opened {
  uint64_t mtime = 0;
  Envelope envelope;
  std::vector<ArchiveMember> objects;  // all but the envelope
};
// Container, envelope, payload type. No signature is looked at.
Result<Opened> OpenContainer(std::string_view container);

// The members are the manifest's objects: in its order, with its sizes and digests. Error::code is members or digest.
Status CheckMembers(const Manifest& manifest, const std::vector<ArchiveMember>& objects);

}  // namespace ks::bundle
