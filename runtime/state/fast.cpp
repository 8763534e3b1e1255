#include "runtime/state/machinery.h"

namespace ks::state {

std::unique_ptr<Machinery> MakeFast(const engine::Engine& engine) { return MakeReference(engine); }

}  // namespace ks::state
