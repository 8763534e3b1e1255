#include "compiler/codegen/btf_order.h"

#include <linux/btf.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "compiler/codegen/elf_image.h"

namespace ks::codegen {
namespace {

class Btf {
 public:
  explicit Btf(char* bytes, size_t size) : bytes_(bytes), size_(size) {}

  bool Order() { return ReadHead() && FindTypes() && OrderForwards(); }

 private:
  uint32_t Get(size_t at) const {
    uint32_t value;
    memcpy(&value, bytes_ + at, sizeof(value));
    return value;
  }
  void Set(size_t at, uint32_t value) { memcpy(bytes_ + at, &value, sizeof(value)); }

  bool ReadHead() {
    btf_header head;
    if (size_ < sizeof(head)) return false;
    memcpy(&head, bytes_, sizeof(head));
    if (head.magic != BTF_MAGIC || head.hdr_len > size_) return false;
    const auto inside = [&](uint64_t at, uint64_t size) { return at + size <= size_ - head.hdr_len; };
    if (!inside(head.type_off, head.type_len) || !inside(head.str_off, head.str_len)) return false;
    types_ = head.hdr_len + head.type_off;
    types_end_ = types_ + head.type_len;
    strings_ = head.hdr_len + head.str_off;
    strings_end_ = strings_ + head.str_len;
    return true;
  }

  unsigned KindAt(size_t at) const { return BTF_INFO_KIND(Get(at + 4)); }
  unsigned CountAt(size_t at) const { return BTF_INFO_VLEN(Get(at + 4)); }

  // Bytes behind a type's head, by its kind: `each` per element, or `once`.
  static bool Shape(unsigned kind, size_t* once, size_t* each) {
    *once = *each = 0;
    switch (kind) {
      case BTF_KIND_INT:
      case BTF_KIND_VAR:
      case BTF_KIND_DECL_TAG:
        *once = 4;
        return true;
      case BTF_KIND_ARRAY:
        *once = sizeof(btf_array);
        return true;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        *each = sizeof(btf_member);
        return true;
      case BTF_KIND_ENUM:
      case BTF_KIND_FUNC_PROTO:
        *each = 8;
        return true;
      case BTF_KIND_ENUM64:
      case BTF_KIND_DATASEC:
        *each = 12;
        return true;
      default:
        return kind <= BTF_KIND_ENUM64;
    }
  }

  bool FindTypes() {
    for (size_t at = types_; at < types_end_;) {
      size_t once, each;
      if (types_end_ - at < sizeof(btf_type) || !Shape(KindAt(at), &once, &each)) return false;
      at_.push_back(at);
      at += sizeof(btf_type) + once + each * CountAt(at);
      if (at > types_end_) return false;
    }
    return true;
  }

  // Calls with the place of every type number that a type holds.
  void ForEachReference(size_t at, const std::function<void(size_t)>& visit) const {
    const size_t behind = at + sizeof(btf_type);
    const unsigned kind = KindAt(at);
    switch (kind) {
      case BTF_KIND_PTR:
      case BTF_KIND_TYPEDEF:
      case BTF_KIND_VOLATILE:
      case BTF_KIND_CONST:
      case BTF_KIND_RESTRICT:
      case BTF_KIND_FUNC:
      case BTF_KIND_FUNC_PROTO:
      case BTF_KIND_VAR:
      case BTF_KIND_DECL_TAG:
      case BTF_KIND_TYPE_TAG:
        visit(at + offsetof(btf_type, type));
        break;
      case BTF_KIND_ARRAY:
        visit(behind + offsetof(btf_array, type));
        visit(behind + offsetof(btf_array, index_type));
        break;
      default:
        break;
    }
    for (unsigned i = 0; i < CountAt(at); i++) {
      if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION)
        visit(behind + i * sizeof(btf_member) + offsetof(btf_member, type));
      if (kind == BTF_KIND_FUNC_PROTO) visit(behind + i * 8 + offsetof(btf_param, type));
      if (kind == BTF_KIND_DATASEC) visit(behind + i * 12 + offsetof(btf_var_secinfo, type));
    }
  }

  std::set<uint32_t> NamesOfOthers(size_t first_forward) const {
    std::set<uint32_t> names;
    for (size_t i = 0; i < first_forward; i++) {
      names.insert(Get(at_[i]));
      size_t once, each;
      Shape(KindAt(at_[i]), &once, &each);
      for (unsigned j = 0; each != 0 && j < CountAt(at_[i]); j++)
        names.insert(Get(at_[i] + sizeof(btf_type) + once + j * each));
    }
    return names;
  }

  std::string NameAt(uint32_t offset) const {
    if (offset >= strings_end_ - strings_) return "";
    const std::string_view rest(bytes_ + strings_ + offset, strings_end_ - strings_ - offset);
    return std::string(rest.substr(0, rest.find('\0')));
  }

  // The strings at the end of the table that only the forward declarations name, into the order of the alphabet too.
  std::map<std::string, uint32_t> OrderNames(size_t first_forward) {
    std::map<uint32_t, std::string> names;
    for (size_t i = first_forward; i < at_.size(); i++) names[Get(at_[i])] = NameAt(Get(at_[i]));
    const std::set<uint32_t> others = NamesOfOthers(first_forward);
    std::set<std::string> moved;
    size_t end = strings_end_ - strings_;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      if (name->first + name->second.size() + 1 != end || others.contains(name->first)) break;
      end = name->first;
      moved.insert(name->second);
    }
    std::map<std::string, uint32_t> places;
    for (const auto& [offset, name] : names) {
      if (!moved.contains(name)) places[name] = offset;
    }
    for (const std::string& name : moved) {
      memcpy(bytes_ + strings_ + end, name.c_str(), name.size() + 1);
      places[name] = static_cast<uint32_t>(end);
      end += name.size() + 1;
    }
    return places;
  }

  bool OrderForwards() {
    size_t first = at_.size();
    while (first > 0 && KindAt(at_[first - 1]) == BTF_KIND_FWD) first--;
    struct Forward {
      std::string name;
      uint32_t info, id;
      size_t first_user;  // each of several of one name has users of its own
    };
    std::vector<Forward> forwards;
    for (size_t i = first; i < at_.size(); i++) {
      forwards.push_back({NameAt(Get(at_[i])), Get(at_[i] + 4), static_cast<uint32_t>(i + 1), first});
    }
    for (size_t i = first; i-- > 0;) {
      ForEachReference(at_[i], [&](size_t at) {
        if (Get(at) > first && Get(at) <= at_.size()) forwards[Get(at) - first - 1].first_user = i;
      });
    }
    std::sort(forwards.begin(), forwards.end(), [](const Forward& a, const Forward& b) {
      return std::tie(a.name, a.info, a.first_user) < std::tie(b.name, b.info, b.first_user);
    });
    const std::map<std::string, uint32_t> places = OrderNames(first);
    std::map<uint32_t, uint32_t> renumbered;
    for (size_t i = 0; i < forwards.size(); i++) {
      renumbered[forwards[i].id] = static_cast<uint32_t>(first + i + 1);
      Set(at_[first + i], places.at(forwards[i].name));
      Set(at_[first + i] + 4, forwards[i].info);
    }
    for (size_t i = 0; i < first; i++) {
      ForEachReference(at_[i], [&](size_t at) {
        const auto known = renumbered.find(Get(at));
        if (known != renumbered.end()) Set(at, known->second);
      });
    }
    return true;
  }

  char* bytes_;
  size_t size_;
  size_t types_ = 0, types_end_ = 0, strings_ = 0, strings_end_ = 0;
  std::vector<size_t> at_;  // type i + 1 is here
};

}  // namespace

bool OrderForwardDeclarations(std::string& elf) {
  const std::optional<ElfImage> image = ElfImage::Read(elf);
  const Elf64_Shdr* section = image ? image->Find(".BTF") : nullptr;
  if (section == nullptr) return false;
  return Btf(elf.data() + section->sh_offset, section->sh_size).Order();
}

}  // namespace ks::codegen
