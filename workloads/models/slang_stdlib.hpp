// SPDX-License-Identifier: MIT
#pragma once

// The functions every script has. Each is registered with its name and a line about it (the
// stdlib's part); their work is done in temporary memory.

#include "slang_objects.hpp"

namespace slang {

using Line = Growing<char>;

// Writes a value as text, cut at the longest; for the temporary part.
inline void write_value(Memory& memory, Line& line, Value value) {
    const auto put = [&](const char* text, std::uint64_t length) {
        for (std::uint64_t each = 0; each < length && line.count < longest; ++each) {
            line.append(memory, Part::temp, text[each]);
        }
    };
    char digits[24];
    switch (value.kind) {
    case Value::Kind::number:
        return put(digits,
                   static_cast<std::uint64_t>(std::snprintf(digits, sizeof digits, "%lld",
                                                            static_cast<long long>(value.number))));
    case Value::Kind::string:
        return put(value.string->text(), value.string->length);
    case Value::Kind::text:
        return put(value.object->text(), value.object->count);
    case Value::Kind::list:
        for (std::uint64_t each = 0; each < value.object->count && line.count < longest; ++each) {
            put(each == 0 ? "[" : ", ", each == 0 ? 1 : 2);
            write_value(memory, line, value.object->items()[each]);
        }
        return put("]", 1);
    }
}

class Stdlib {
public:
    static constexpr const char* names[] = {"length", "join", "reverse", "range", nullptr};

    explicit Stdlib(Memory& memory) : memory_(memory), objects_(memory) {
        static constexpr const char* lines[] = {
            "how many characters or items a value has", "the items of a list as one text",
            "the items of a list from the last to the first", "the numbers below one, 50 at most"};
        for (std::size_t each = 0; each < 4; ++each) {
            entries_[each] = memory.make<Entry>(Part::stdlib);
            entries_[each]->name =
                memory.copy_text(Part::stdlib, names[each], std::strlen(names[each]));
            entries_[each]->about =
                memory.copy_text(Part::stdlib, lines[each], std::strlen(lines[each]));
        }
    }
    ~Stdlib() {
        for (Entry* const entry : entries_) {
            memory_.free(entry->name);
            memory_.free(entry->about);
            memory_.free(entry);
        }
    }
    Stdlib(const Stdlib&) = delete;
    Stdlib& operator=(const Stdlib&) = delete;

    // Returns a new reference; the argument stays the caller's.
    Value call(std::size_t which, Value argument) {
        ++entries_[which]->calls;
        switch (which) {
        case 0:
            return Value::of(Objects::number_of(argument));
        case 1: {
            Line line;
            write_value(memory_, line, argument);
            return objects_.make_text(line.items, line.count);
        }
        case 2:
            return reverse(argument);
        default:
            return range(argument);
        }
    }

    std::uint64_t calls() const {
        std::uint64_t sum = 0;
        for (const Entry* const entry : entries_) {
            sum += entry->calls;
        }
        return sum;
    }

private:
    struct Entry {
        char* name;
        char* about;
        std::uint64_t calls;
    };

    Value reverse(Value argument) {
        if (argument.kind != Value::Kind::list) {
            return Objects::retain(argument);
        }
        Growing<Value> items;
        for (std::uint64_t each = argument.object->count; each > 0; --each) {
            items.append(memory_, Part::temp, Objects::retain(argument.object->items()[each - 1]));
        }
        return objects_.make_list(items.items, items.count);
    }

    Value range(Value argument) {
        const auto wanted = static_cast<std::uint64_t>(Objects::number_of(argument)) % 50;
        Growing<Value> items;
        for (std::uint64_t each = 0; each < wanted; ++each) {
            items.append(memory_, Part::temp, Value::of(static_cast<std::int64_t>(each)));
        }
        return objects_.make_list(items.items, items.count);
    }

    Memory& memory_;
    Objects objects_;
    std::array<Entry*, 4> entries_;
};

} // namespace slang
