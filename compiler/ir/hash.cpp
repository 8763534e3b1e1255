#include "compiler/ir/hash.h"

#include <string_view>

namespace ks::ir {
namespace {

void Mix(size_t* hash, size_t value) { *hash ^= value + 0x9e3779b97f4a7c15u + (*hash << 6) + (*hash >> 2); }

size_t HashBytes(const void* data, size_t size) {
  return std::hash<std::string_view>()(std::string_view(static_cast<const char*>(data), size));
}

void MixValue(size_t* hash, const Value& value) {
  Mix(hash, value.index());
  if (const auto* number = std::get_if<int64_t>(&value)) {
    Mix(hash, std::hash<int64_t>()(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    Mix(hash, HashBytes(text->data(), text->size()));
  } else if (const auto* ip = std::get_if<schema::IpAddress>(&value)) {
    Mix(hash, HashBytes(ip->bytes.data(), ip->bytes.size()));
  } else if (const auto* cidr = std::get_if<schema::Cidr>(&value)) {
    Mix(hash, HashBytes(cidr->base.bytes.data(), cidr->base.bytes.size()));
    Mix(hash, cidr->bits);
  } else if (const auto* endpoint = std::get_if<schema::Endpoint>(&value)) {
    Mix(hash, HashBytes(endpoint->ip.bytes.data(), endpoint->ip.bytes.size()));
    Mix(hash, endpoint->port);
  }
}

void MixOperand(size_t* hash, const Operand& operand) {
  Mix(hash, static_cast<size_t>(operand.field));
  Mix(hash, static_cast<size_t>(operand.part));
  Mix(hash, static_cast<size_t>(operand.element) << 16 | size_t{operand.step} << 1 | (operand.lower ? 1 : 0));
}

}  // namespace

size_t HashOf(const Atom& atom) {
  size_t hash = static_cast<size_t>(atom.test);
  MixOperand(&hash, atom.operand);
  if (atom.other) MixOperand(&hash, *atom.other);
  for (const Value& literal : atom.literals) MixValue(&hash, literal);
  return hash;
}

size_t HashOf(const Pred& pred) {
  size_t hash = static_cast<size_t>(pred.op) + 1;
  if (pred.atom) Mix(&hash, HashOf(*pred.atom));
  for (const Pred& operand : pred.operands) Mix(&hash, HashOf(operand));
  return hash;
}

}  // namespace ks::ir
