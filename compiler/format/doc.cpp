#include "compiler/format/doc.h"

#include <algorithm>
#include <utility>

namespace ks::format {
namespace {

// In characters; of a text of several lines, its first.
size_t Width(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

Page::Page() { nodes_.push_back({.kind = Kind::Concat}); }

Doc Page::Add(Node node) {
  for (Doc part : node.parts) node.breaks = node.breaks || nodes_[part].breaks;
  node.breaks = node.breaks || nodes_[node.last].breaks;
  nodes_.push_back(std::move(node));
  return static_cast<Doc>(nodes_.size() - 1);
}

Doc Page::Text(std::string_view text) { return Add({.kind = Kind::Text, .text = text}); }
Doc Page::Space(size_t width) { return Add({.kind = Kind::Space, .width = static_cast<uint32_t>(width)}); }
Doc Page::Concat(std::vector<Doc> parts) { return Add({.kind = Kind::Concat, .parts = std::move(parts)}); }
Doc Page::Line() { return Add({.kind = Kind::Line}); }
Doc Page::SoftLine() { return Add({.kind = Kind::Line, .soft = true}); }
Doc Page::HardLine(bool blank) { return Add({.kind = Kind::Hard, .breaks = true, .blank = blank}); }
Doc Page::Group(Doc inner) { return Add({.kind = Kind::Group, .parts = {inner}}); }
Doc Page::Nest(Doc inner) { return Add({.kind = Kind::Nest, .parts = {inner}}); }
Doc Page::Fill(std::vector<Doc> items) { return Add({.kind = Kind::Fill, .parts = std::move(items)}); }
Doc Page::LastComma() { return Add({.kind = Kind::Comma}); }
Doc Page::Trailing(std::string_view comment) { return Add({.kind = Kind::Trailing, .breaks = true, .text = comment}); }
Doc Page::OwnLine(std::string_view comment, bool blank) {
  return Add({.kind = Kind::OwnLine, .breaks = true, .blank = blank, .text = comment});
}
Doc Page::Inside(Doc inner, Doc last_break) {
  return Add({.kind = Kind::Inside, .last = last_break, .parts = {inner}});
}

class Renderer {
 public:
  Renderer(const Page& page, size_t columns) : nodes_(page.nodes_), columns_(columns) {}

  std::string Run(Doc doc) {
    work_.push_back({doc, 0, false});
    while (!work_.empty()) {
      Work work = work_.back();
      work_.pop_back();
      Step(work);
    }
    return std::move(out_);
  }

 private:
  using Kind = Page::Kind;
  using Node = Page::Node;
  struct Work {
    Doc doc;
    size_t indent;
    bool flat;
    size_t from = 0;  // of Concat and Fill: the first part that is still to be done
  };

  void Step(Work work) {
    const Node& node = nodes_[work.doc];
    switch (node.kind) {
      case Kind::Text:
        Put(node.text);
        return;
      case Kind::Space:
        space_ = node.width;
        return;
      case Kind::Concat:
        if (work.from == node.parts.size()) return;
        work_.push_back({work.doc, work.indent, work.flat, work.from + 1});
        work_.push_back({node.parts[work.from], work.indent, work.flat});
        return;
      case Kind::Line:
        if (!work.flat) return Break(work.indent, false);
        if (!node.soft) space_ = 1;
        return;
      case Kind::Hard:
        return Break(work.indent, node.blank);
      case Kind::Group:
        work.flat = work.flat || Fits({node.parts[0], work.indent, true});
        work_.push_back({node.parts[0], work.indent, work.flat});
        return;
      case Kind::Nest:
        work_.push_back({node.parts[0], work.indent + 2, work.flat});
        return;
      case Kind::Inside: {
        size_t base = newline_ ? next_indent_ : line_indent_;
        work_.push_back({node.last, base, work.flat});
        work_.push_back({node.parts[0], base + 2, work.flat});
        return;
      }
      case Kind::Fill:
        return StepFill(work, node);
      case Kind::Comma:
        if (!work.flat) Put(",");
        return;
      case Kind::Trailing:
        if (!out_.empty()) out_ += "  ";
        out_ += node.text;
        if (!newline_) Break(work.indent, false);
        return;
      case Kind::OwnLine:
        Break(newline_ ? next_indent_ : work.indent, node.blank);
        Put(node.text);
        Break(line_indent_, false);
        return;
    }
  }

  // Each item behind the one before, or on a line of its own; it breaks itself only if it is too long even there.
  void StepFill(const Work& work, const Node& node) {
    if (work.from == node.parts.size()) return;
    Doc item = node.parts[work.from];
    bool last = work.from + 1 == node.parts.size();
    if (!last) work_.push_back({work.doc, work.indent, work.flat, work.from + 1});
    bool flat = work.flat;
    if (work.from > 0) space_ = 1;
    if (!flat) flat = Fits({item, work.indent, true}, last);
    if (!flat && work.from > 0) {
      Break(work.indent, false);
      flat = Fits({item, work.indent, true}, last);
    }
    work_.push_back({item, work.indent, flat});
  }

  void Break(size_t indent, bool blank) {
    blank_ = blank || (newline_ && blank_);
    newline_ = true;
    next_indent_ = indent;
    space_ = 0;
  }

  void Put(std::string_view text) {
    if (newline_ && !out_.empty()) {
      out_ += blank_ ? "\n\n" : "\n";
      out_.append(next_indent_, ' ');
      column_ = line_indent_ = next_indent_;
    } else if (!newline_) {
      out_.append(space_, ' ');
      column_ += space_;
    }
    newline_ = blank_ = false;
    space_ = 0;
    out_ += text;
    size_t last = text.rfind('\n');
    column_ = last == std::string_view::npos ? column_ + Width(text) : Width(text.substr(last + 1));
  }

  // Whether `first`, and what follows it up to where a line may end, fits into the rest of the line. `only`: whatever
  // follows.
  bool Fits(Work first, bool with_rest = true) const {
    if (nodes_[first.doc].breaks) return false;
    size_t used = newline_ ? next_indent_ : column_ + space_;
    size_t pending = 0;  // a space that counts only if text follows
    size_t rest = work_.size();
    std::vector<Work> todo = {first};
    while (true) {
      if (used > columns_) return false;
      if (todo.empty()) {
        if (!with_rest || rest == 0) return true;
        todo.push_back(work_[--rest]);
      }
      Work work = todo.back();
      todo.pop_back();
      const Node& node = nodes_[work.doc];
      switch (node.kind) {
        case Kind::Text:
          used += pending + Width(node.text);
          pending = 0;
          if (node.text.find('\n') != std::string_view::npos) return used <= columns_;
          break;
        case Kind::Space:
          pending = node.width;
          break;
        case Kind::Line:
          if (!work.flat) return true;
          if (!node.soft) pending = 1;
          break;
        case Kind::Comma:
          if (!work.flat) used += 1;
          break;
        case Kind::Hard:
        case Kind::Trailing:
        case Kind::OwnLine:
          return true;
        case Kind::Concat:
        case Kind::Fill:
          if (work.from == node.parts.size()) break;
          if (node.kind == Kind::Fill && work.from > 0) {
            if (!work.flat) return true;
            pending = 1;
          }
          todo.push_back({work.doc, work.indent, work.flat, work.from + 1});
          todo.push_back({node.parts[work.from], work.indent, work.flat});
          break;
        case Kind::Inside:
          todo.push_back({node.last, work.indent, work.flat});
          [[fallthrough]];
        case Kind::Group:
        case Kind::Nest:
          // A group behind what is looked at may break when its turn comes.
          todo.push_back({node.parts[0], work.indent, work.flat && !node.breaks});
          break;
      }
    }
  }

  const std::vector<Node>& nodes_;
  size_t columns_;
  std::vector<Work> work_;
  std::string out_;
  size_t column_ = 0, line_indent_ = 0;
  // What stands before the next text: a line break, or blanks.
  bool newline_ = false, blank_ = false;
  size_t next_indent_ = 0, space_ = 0;
};

std::string Page::Render(Doc doc, size_t columns) const { return Renderer(*this, columns).Run(doc); }

}  // namespace ks::format
