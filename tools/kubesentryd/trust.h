// The file of trusted keys that the user names.
#pragma once

#include <string>

#include "compiler/bundle/bundle.h"

namespace ks::agent {

Result<bundle::Trust> ReadTrust(const std::string& path);

}  // namespace ks::agent
