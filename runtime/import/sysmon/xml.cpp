#include "runtime/import/sysmon/xml.h"

#include <expat.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <type_traits>

namespace ks::import::sysmon {
namespace {

constexpr int kMostDepth = 8;
constexpr size_t kMostData = 256, kMostText = 128 * 1024, kMostNode = 255;

struct Reader {
  XML_Parser parser = nullptr;
  Event event;
  int depth = 0;
  bool has_id = false;
  std::string element, name, text;  // the innermost one
  std::string why;

  void Stop(const char* reason) {
    why = reason;
    XML_StopParser(parser, XML_FALSE);
  }
};

std::string Attribute(const char** attributes, std::string_view name) {
  for (; attributes[0]; attributes += 2) {
    if (attributes[0] == name) return attributes[1];
  }
  return "";
}

std::optional<int64_t> ToNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? std::optional(number) : std::nullopt;
}

void OnStart(void* user, const char* element, const char** attributes) {
  auto& reader = *static_cast<Reader*>(user);
  if (++reader.depth > kMostDepth) return reader.Stop("it is nested too deeply");
  if (reader.depth == 1 && std::strcmp(element, "Event") != 0) return reader.Stop("it is no event");
  reader.element = element;
  reader.text.clear();
  reader.name = Attribute(attributes, "Name");
  if (reader.element == "Provider") reader.event.provider = reader.name;
  if (reader.element == "TimeCreated") reader.event.time = Attribute(attributes, "SystemTime");
}

void OnEnd(void* user, const char* element) {
  auto& reader = *static_cast<Reader*>(user);
  --reader.depth;
  if (reader.element != element) return;
  if (reader.element == "EventID") {
    const std::optional<int64_t> id = ToNumber(reader.text);
    reader.has_id = id.has_value();
    reader.event.id = id.value_or(0);
  } else if (reader.element == "Computer") {
    reader.event.computer = reader.text.substr(0, kMostNode);
  } else if (reader.element == "Data" && !reader.name.empty() && reader.text != "-") {
    if (reader.event.data.size() >= kMostData) return reader.Stop("it has too many values");
    reader.event.data.emplace(reader.name, reader.text);
  }
  reader.element.clear();
  reader.text.clear();
}

void OnText(void* user, const char* text, int size) {
  auto& reader = *static_cast<Reader*>(user);
  if (reader.element.empty()) return;
  if (reader.text.size() + static_cast<size_t>(size) > kMostText) return reader.Stop("a value is too long");
  reader.text.append(text, static_cast<size_t>(size));
}

void OnDocumentType(void* user, const char*, const char*, const char*, int) { static_cast<Reader*>(user)->Stop("it has a document type"); }

}  // namespace

std::optional<std::string> Event::Text(const std::string& key) const {
  const auto found = data.find(key);
  return found == data.end() ? std::nullopt : std::optional(found->second);
}

std::optional<int64_t> Event::Number(const std::string& key) const {
  const auto found = data.find(key);
  return found == data.end() ? std::nullopt : ToNumber(found->second);
}

std::optional<std::string_view> FindXml(std::string_view line) {
  constexpr std::string_view kProvider = "Linux-Sysmon", kEnd = "</Event>";
  size_t begin = line.find("<Event>");
  if (begin == std::string_view::npos) begin = line.find("<Event ");
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin);
  // The provider stands near the begin; what a process was called by may hold the name, too.
  constexpr size_t kMostBefore = 256;
  if (line.substr(0, kMostBefore).find(kProvider) == std::string_view::npos) return std::nullopt;
  const size_t end = line.rfind(kEnd);
  return end == std::string_view::npos ? "" : line.substr(0, end + kEnd.size());
}

std::optional<Event> Parse(std::string_view xml, std::string* why) {
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"), &XML_ParserFree);
  Reader reader;
  if (!parser) {
    *why = "there is no memory for it";
    return std::nullopt;
  }
  reader.parser = parser.get();
  XML_SetUserData(reader.parser, &reader);
  XML_SetElementHandler(reader.parser, OnStart, OnEnd);
  XML_SetCharacterDataHandler(reader.parser, OnText);
  XML_SetStartDoctypeDeclHandler(reader.parser, OnDocumentType);
  if (XML_Parse(reader.parser, xml.data(), static_cast<int>(xml.size()), XML_TRUE) != XML_STATUS_OK) {
    *why = !reader.why.empty() ? reader.why : XML_ErrorString(XML_GetErrorCode(reader.parser));
    return std::nullopt;
  }
  if (!reader.has_id) {
    *why = "it has no EventID";
    return std::nullopt;
  }
  return std::move(reader.event);
}

}  // namespace ks::import::sysmon
