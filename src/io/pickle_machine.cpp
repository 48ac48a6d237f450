#include "io/pickle_machine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <unordered_map>

#include "io/little_endian.h"
#include "io/pickle_calls.h"
#include "io/pickle_text.h"

namespace negativa {

namespace {

constexpr size_t deepest_stack = 1'000'000;
constexpr size_t most_arguments = 16;  // each call copies them
constexpr uint8_t newest_protocol = 5;

class Machine {
 public:
  Machine(const std::string& where, std::span<const uint8_t> bytes, uint64_t begin)
      : where_(where), values_(where), bytes_(bytes), at_(begin) {
    none_ = values_.add(PickleNone{});
    true_ = values_.add(true);
    false_ = values_.add(false);
  }

  Pickle run() {
    while (!stopped_) {
      op_at_ = at_;
      op_ = number<uint8_t>();
      const auto& operation = operations()[op_];
      if (!operation.run) fail_on_opcode(operation);
      (this->*operation.run)();
    }
    const PickleId root = pop();
    return {std::move(values_), root, at_};
  }

 private:
  struct Operation {
    void (Machine::*run)() = nullptr;
    const char* refused = nullptr;  // its name, where it is an opcode that is not understood on purpose
  };
  using Operations = std::array<Operation, 256>;
  static const Operations& operations();

  [[noreturn]] void fail_on_opcode(const Operation& operation) const {
    check(!operation.refused, ErrorKind::file_format,
          "[{}] got the opcode {} at byte {}, which takes objects from outside of the file: torch.load would refuse it too",
          where_, operation.refused ? operation.refused : "", op_at_);
    fail(ErrorKind::file_format, "[{}] got the byte 0x{:02x} at {}, which is no pickle opcode; the file is damaged or no pickle",
         where_, op_, op_at_);
  }
  [[noreturn]] void fail_here(const char* what) const {
    fail(ErrorKind::file_format, "[{}] got a pickle that {} at byte {}; the file is damaged", where_, what, op_at_);
  }

  // Bytes.
  std::string_view take(uint64_t length) {
    if (length > bytes_.size() - at_) fail_here("ends in the middle");
    const std::string_view taken(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
    at_ += length;
    return taken;
  }
  template <class Number>
  Number number() {
    return little_endian<Number>(reinterpret_cast<const uint8_t*>(take(sizeof(Number)).data()));
  }
  std::string_view line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
    const auto end = rest.find('\n');
    if (end == rest.npos) fail_here("ends in the middle");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  // The stack.
  void push(PickleId id) {
    if (stack_.size() >= deepest_stack) fail_here("piles up more than a million values");
    stack_.push_back(id);
  }
  // Under another name, lest a number be taken for an id.
  void push_value(PickleValue value) { push(values_.add(std::move(value))); }
  size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleId top() const {
    if (stack_.size() <= bottom()) fail_here("takes a value that is not there");
    return stack_.back();
  }
  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }
  std::vector<PickleId> pop_to_mark() {
    if (marks_.empty()) fail_here("takes a mark that is not there");
    std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    values_.count_items(items.size());
    return items;
  }
  std::vector<PickleId> pop_items(size_t count) {
    std::vector<PickleId> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    values_.count_items(count);
    return items;
  }

  // Memo.
  void put(uint64_t index) {
    const PickleId id = top();
    memo_[index] = id;
  }
  void get(uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail_here("recalls a value that it never kept");
    push(found->second);
  }

  // Containers.
  void push_sequence(PickleSequence::Kind kind, std::vector<PickleId> items) {
    push_value(PickleSequence{kind, std::move(items)});
  }
  void extend(const std::vector<PickleId>& items, PickleSequence::Kind kind) {
    auto* sequence = values_.as<PickleSequence>(top());
    if (!sequence || sequence->kind != kind) fail_here("adds to what is no list");
    sequence->items.insert(sequence->items.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<PickleId>& items, PickleId target) {
    auto* dict = values_.as<PickleDict>(target);
    if (!dict || items.size() % 2 != 0) fail_here("sets keys of what is no dict");
    for (size_t i = 0; i < items.size(); i += 2) dict->items.emplace_back(items[i], items[i + 1]);
  }

  // Calls.
  void call(PickleId function, const std::vector<PickleId>& arguments) {
    const auto* global = values_.as<PickleGlobal>(function);
    check(global, ErrorKind::file_format,
          "[{}] calls what is no named function, at byte {}: the file runs code, and torch.load would too; look for a "
          ".safetensors of it",
          where_, op_at_);
    push(call_from_pickle(values_, PickleGlobal(*global), arguments));
  }
  std::vector<PickleId> arguments(PickleId tuple) const {
    const auto* sequence = values_.as<PickleSequence>(tuple);
    if (!sequence || sequence->kind != PickleSequence::tuple) fail_here("calls with what is no tuple");
    if (sequence->items.size() > most_arguments) fail_here("calls with more than 16 arguments");
    return sequence->items;
  }

  // One opcode each, named as in pickletools.
  void op_proto() {
    const auto protocol = number<uint8_t>();
    check(protocol <= newest_protocol, ErrorKind::file_format, "[{}] got a pickle of protocol {}, expected at most {}", where_,
          protocol, newest_protocol);
  }
  void op_frame() { number<uint64_t>(); }
  void op_stop() { stopped_ = true; }
  void op_mark() {
    if (marks_.size() >= deepest_stack) fail_here("piles up more than a million marks");
    marks_.push_back(stack_.size());
  }
  void op_pop() { stack_.size() > bottom() || marks_.empty() ? stack_.resize((top(), stack_.size() - 1)) : marks_.pop_back(); }
  void op_pop_mark() { pop_to_mark(); }
  void op_dup() { push(top()); }
  void op_none() { push(none_); }
  void op_true() { push(true_); }
  void op_false() { push(false_); }

  void op_int() {
    const auto text = line();
    if (text == "00" || text == "01") return push(text == "01" ? true_ : false_);
    push_value(pickle_integer(text, where_));
  }
  void op_long() {
    auto text = line();
    if (text.ends_with('L')) text.remove_suffix(1);
    push_value(pickle_integer(text, where_));
  }
  void op_binint() { push_value(int64_t{number<int32_t>()}); }
  void op_binint1() { push_value(int64_t{number<uint8_t>()}); }
  void op_binint2() { push_value(int64_t{number<uint16_t>()}); }
  void op_long1() { push_value(pickle_long(take(number<uint8_t>()))); }
  void op_long4() { push_value(pickle_long(take(number<uint32_t>()))); }
  void op_float() { push_value(pickle_float(line(), where_)); }
  void op_binfloat() {
    const auto taken = take(8);
    uint64_t bits = 0;
    for (const char byte : taken) bits = bits << 8 | static_cast<uint8_t>(byte);
    push_value(std::bit_cast<double>(bits));
  }

  void push_text(std::string_view text) { push_value(PickleText{std::string(text)}); }
  void push_bytes(std::string_view bytes) { push_value(PickleBytes{std::string(bytes)}); }
  void op_string() { push_value(PickleText{pickle_string(line(), where_)}); }
  void op_unicode() { push_value(PickleText{pickle_raw_unicode(line(), where_)}); }
  void op_text1() { push_text(take(number<uint8_t>())); }
  void op_text4() { push_text(take(number<uint32_t>())); }
  void op_text8() { push_text(take(number<uint64_t>())); }
  void op_bytes1() { push_bytes(take(number<uint8_t>())); }
  void op_bytes4() { push_bytes(take(number<uint32_t>())); }
  void op_bytes8() { push_bytes(take(number<uint64_t>())); }

  void op_list() { push_sequence(PickleSequence::list, pop_to_mark()); }
  void op_empty_list() { push_sequence(PickleSequence::list, {}); }
  void op_tuple() { push_sequence(PickleSequence::tuple, pop_to_mark()); }
  void op_empty_tuple() { push_sequence(PickleSequence::tuple, {}); }
  void op_tuple1() { push_sequence(PickleSequence::tuple, pop_items(1)); }
  void op_tuple2() { push_sequence(PickleSequence::tuple, pop_items(2)); }
  void op_tuple3() { push_sequence(PickleSequence::tuple, pop_items(3)); }
  void op_empty_set() { push_sequence(PickleSequence::set, {}); }
  void op_frozenset() { push_sequence(PickleSequence::set, pop_to_mark()); }
  void op_append() { extend(pop_items(1), PickleSequence::list); }
  void op_appends() { extend(pop_to_mark(), PickleSequence::list); }
  void op_additems() { extend(pop_to_mark(), PickleSequence::set); }
  void op_dict() {
    const auto items = pop_to_mark();
    const PickleId dict = values_.add(PickleDict{});
    set_items(items, dict);
    push(dict);
  }
  void op_empty_dict() { push_value(PickleDict{}); }
  void op_setitem() {
    const auto items = pop_items(2);
    set_items(items, top());
  }
  void op_setitems() {
    const auto items = pop_to_mark();
    set_items(items, top());
  }

  void op_get() { get(pickle_index(line(), where_)); }
  void op_binget() { get(number<uint8_t>()); }
  void op_long_binget() { get(number<uint32_t>()); }
  void op_put() { put(pickle_index(line(), where_)); }
  void op_binput() { put(number<uint8_t>()); }
  void op_long_binput() { put(number<uint32_t>()); }
  void op_memoize() { put(memo_.size()); }

  void op_global() {
    const auto module = line(), name = line();
    push_value(PickleGlobal{std::string(module), std::string(name)});
  }
  void op_stack_global() {
    const PickleId name_id = pop(), module_id = pop();
    const auto *name = values_.as<PickleText>(name_id), *module = values_.as<PickleText>(module_id);
    if (!name || !module) fail_here("names a function by what is no text");
    push_value(PickleGlobal{module->text, name->text});
  }
  void op_reduce() {
    const auto given = arguments(pop());
    call(pop(), given);
  }
  void op_newobj_ex() {
    const PickleId keywords = pop();
    const auto* dict = values_.as<PickleDict>(keywords);
    if (!dict || !dict->items.empty()) fail_here("makes an object with named arguments");
    op_reduce();
  }
  void op_inst() {
    const auto module = line(), name = line();
    const auto given = pop_to_mark();
    call(values_.add(PickleGlobal{std::string(module), std::string(name)}), given);
  }
  void op_obj() {
    auto given = pop_to_mark();
    if (given.empty()) fail_here("makes an object of no class");
    const PickleId type = given.front();
    given.erase(given.begin());
    call(type, given);
  }
  void op_build() {
    const PickleId state = pop();
    build_from_pickle(values_, top(), state);
  }
  void op_binpersid() { push(storage_from_pickle(values_, pop())); }

  const std::string& where_;
  PickleValues values_;
  std::span<const uint8_t> bytes_;
  uint64_t at_ = 0, op_at_ = 0;
  uint8_t op_ = 0;
  bool stopped_ = false;
  PickleId none_ = 0, true_ = 0, false_ = 0;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, PickleId> memo_;
};

const Machine::Operations& Machine::operations() {
  static const Operations all = [] {
    Operations list;
    const auto set = [&](uint8_t code, void (Machine::*run)()) { list[code].run = run; };
    set('(', &Machine::op_mark), set('.', &Machine::op_stop), set('0', &Machine::op_pop), set('1', &Machine::op_pop_mark);
    set('2', &Machine::op_dup), set('N', &Machine::op_none), set(0x88, &Machine::op_true), set(0x89, &Machine::op_false);
    set('I', &Machine::op_int), set('L', &Machine::op_long), set('J', &Machine::op_binint), set('K', &Machine::op_binint1);
    set('M', &Machine::op_binint2), set(0x8a, &Machine::op_long1), set(0x8b, &Machine::op_long4), set('F', &Machine::op_float);
    set('G', &Machine::op_binfloat), set('S', &Machine::op_string), set('T', &Machine::op_text4), set('U', &Machine::op_text1);
    set('V', &Machine::op_unicode), set('X', &Machine::op_text4), set(0x8c, &Machine::op_text1), set(0x8d, &Machine::op_text8);
    set('B', &Machine::op_bytes4), set('C', &Machine::op_bytes1), set(0x8e, &Machine::op_bytes8), set(0x96, &Machine::op_bytes8);
    set('l', &Machine::op_list), set(']', &Machine::op_empty_list), set('a', &Machine::op_append), set('e', &Machine::op_appends);
    set('t', &Machine::op_tuple), set(')', &Machine::op_empty_tuple), set(0x85, &Machine::op_tuple1),
        set(0x86, &Machine::op_tuple2);
    set(0x87, &Machine::op_tuple3), set(0x8f, &Machine::op_empty_set), set(0x90, &Machine::op_additems);
    set(0x91, &Machine::op_frozenset), set('d', &Machine::op_dict), set('}', &Machine::op_empty_dict);
    set('s', &Machine::op_setitem), set('u', &Machine::op_setitems), set('g', &Machine::op_get), set('h', &Machine::op_binget);
    set('j', &Machine::op_long_binget), set('p', &Machine::op_put), set('q', &Machine::op_binput);
    set('r', &Machine::op_long_binput), set(0x94, &Machine::op_memoize), set('c', &Machine::op_global);
    set(0x93, &Machine::op_stack_global), set('R', &Machine::op_reduce), set(0x81, &Machine::op_reduce);
    set(0x92, &Machine::op_newobj_ex), set('i', &Machine::op_inst), set('o', &Machine::op_obj), set('b', &Machine::op_build);
    set('Q', &Machine::op_binpersid), set(0x80, &Machine::op_proto), set(0x95, &Machine::op_frame);
    list[0x82].refused = "EXT1", list[0x83].refused = "EXT2", list[0x84].refused = "EXT4";
    list[0x97].refused = "NEXT_BUFFER", list[0x98].refused = "READONLY_BUFFER", list['P'].refused = "PERSID";
    return list;
  }();
  return all;
}

}  // namespace

Pickle read_pickle(const std::string& where, std::span<const uint8_t> bytes, uint64_t begin) {
  constexpr uint64_t longest = uint64_t{64} << 20;  // a checkpoint's of 3,000 tensors is half a megabyte
  check(begin <= bytes.size(), ErrorKind::file_format, "[{}] ends before its pickle; it is truncated, download it again", where);
  return Machine(where, bytes.first(std::min<uint64_t>(bytes.size(), begin + longest)), begin).run();
}

}  // namespace negativa
