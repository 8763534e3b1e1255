// Any bytes: as a container, as an envelope, as a manifest, as JSON. What the container's reader accepts is what its
// writer writes.
#include <cstddef>
#include <cstdint>

#include "compiler/bundle/archive.h"
#include "compiler/bundle/base64.h"
#include "compiler/bundle/bundle.h"
#include "compiler/bundle/envelope.h"
#include "compiler/bundle/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ks::bundle;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const Trust kTrust = *Trust::FromPem(GenerateKey()->public_pem);
  if (auto archive = ReadArchive(input)) {
    KS_CHECK(WriteArchive(archive->members, archive->mtime) == input, "two containers with one meaning");
  }
  KS_CHECK(!Verify(input, kTrust, 0), "nobody signed this");
  if (auto envelope = ReadEnvelope(input)) (void)ReadManifest(envelope->payload);
  if (auto manifest = ReadManifest(input)) {
    KS_CHECK(bool(ReadManifest(WriteManifest(*manifest))), "what is accepted can be written and read again");
  }
  if (auto bytes = DecodeBase64(input)) KS_CHECK(EncodeBase64(*bytes) == input, "two texts with one meaning");
  return 0;
}
