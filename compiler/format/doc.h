// Text whose line breaks are not decided yet, and the decision: what fits into a line is a line, else the outermost
// group breaks first. Oppen's and Wadler's way, with two things of our own: brackets indent from the line on which they
// open, and comments end the line whatever the width.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ks::format {

// A node of a Page.
using Doc = uint32_t;

class Page {
 public:
  Page();

  Doc Nothing() const { return 0; }
  // Outlives the page.
  Doc Text(std::string_view text);
  Doc Space(size_t width = 1);
  Doc Concat(std::vector<Doc> parts);
  // A space, or a line break if the group around it breaks.
  Doc Line();
  // Nothing, or a line break.
  Doc SoftLine();
  // A line break in any case, perhaps with an empty line before.
  Doc HardLine(bool blank);
  // On one line if it fits.
  Doc Group(Doc inner);
  // Its line breaks are indented by two more.
  Doc Nest(Doc inner);
  // What stands between two brackets: indented by two more than the line on which the bracket opened. Its last line
  // break brings the closing bracket back.
  Doc Inside(Doc inner, Doc last_break);
  // Items one after the other, a line break where the next does not fit any more.
  Doc Fill(std::vector<Doc> items);
  // A comma behind the last item, if the group around it breaks.
  Doc LastComma();
  // A comment at the end of the line, or on a line of its own. What follows stands on a new line.
  Doc Trailing(std::string_view comment);
  Doc OwnLine(std::string_view comment, bool blank);

  // Whether it cannot be on one line.
  bool Breaks(Doc doc) const { return nodes_[doc].breaks; }

  std::string Render(Doc doc, size_t columns) const;

 private:
  enum class Kind : uint8_t { Text, Space, Concat, Line, Hard, Group, Nest, Inside, Fill, Comma, Trailing, OwnLine };
  struct Node {
    Kind kind{};
    bool breaks = false;
    bool soft = false;   // of a line: nothing if it does not break
    bool blank = false;  // of a hard line, a comment on its own line
    uint32_t width = 0;  // of a space
    Doc last = 0;        // of Inside
    std::string_view text;
    std::vector<Doc> parts;
  };
  friend class Renderer;

  Doc Add(Node node);

  std::vector<Node> nodes_;
};

}  // namespace ks::format
