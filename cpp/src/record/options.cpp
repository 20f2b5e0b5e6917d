// SPDX-License-Identifier: MIT
#include <alloclab/record/options.hpp>

#include <alloclab/record/process.hpp>
#include <alloclab/record/python_frames.hpp>
#include <alloclab/record/text.hpp>

#include <cstring>
#include <fcntl.h>

namespace alloclab::record {

namespace {

Options kept;
bool is_read;
char kept_text[option_text_bytes];

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Names as linkers know them, compilers' suffixes (.constprop.0) included.
bool is_symbol_list(const char* list) {
    bool is_first = true; // character of a symbol
    for (; *list != '\0'; ++list) {
        if (*list == ',' && !is_first)
            is_first = true;
        else if (is_letter(*list) ||
                 (!is_first && (is_digit(*list) || *list == '.' || *list == '$')))
            is_first = false;
        else
            return false;
    }
    return !is_first;
}

// Reads a decimal number that fills the text. Returns whether it lies within 1 and `most`.
bool read_number(const char* text, std::uint64_t most, std::uint64_t& number) {
    std::uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; ++text) {
        if (!is_digit(*text) || value > most)
            return false;
        value = value * 10 + static_cast<std::uint64_t>(*text - '0');
    }
    if (value == 0 || value > most)
        return false;
    number = value;
    return true;
}

bool take_sites(const char* value, Options& options) {
    constexpr char stack[] = "stack";
    constexpr std::size_t stack_length = sizeof stack - 1;
    constexpr std::uint64_t most_depth = 64;
    std::uint64_t depth = Options{}.stack_depth;
    if (std::strcmp(value, "none") == 0)
        options.sites = Sites::none;
    else if (std::strcmp(value, "caller") == 0)
        options.sites = Sites::caller;
    else if (std::strncmp(value, stack, stack_length) == 0 &&
             (value[stack_length] == '\0' ||
              (value[stack_length] == ':' &&
               read_number(value + stack_length + 1, most_depth, depth))))
        options.sites = Sites::stack;
    else
        return false;
    options.stack_depth = static_cast<std::uint32_t>(depth);
    return true;
}

bool take_edges(const char* value, Options& options) {
    if (std::strcmp(value, "none") == 0)
        options.edges = Edges::none;
    else if (std::strcmp(value, "frame") == 0)
        options.edges = Edges::frame;
    else if (std::strcmp(value, "phase") == 0)
        options.edges = Edges::phase;
    else if (read_number(value, UINT64_MAX / 16, options.edge_interval))
        options.edges = Edges::every;
    else
        return false;
    return true;
}

bool take_symbols(const char* value, const char*& list) {
    if (!is_symbol_list(value))
        return false;
    list = value;
    return true;
}

bool take_option(const char* name, const char* value, Options& options) {
    if (std::strcmp(name, "sites") == 0)
        return take_sites(value, options);
    if (std::strcmp(name, "edges") == 0)
        return take_edges(value, options);
    if (std::strcmp(name, "frame-on") == 0)
        return take_symbols(value, options.frame_on);
    if (std::strcmp(name, "scope-on") == 0)
        return take_symbols(value, options.scope_on);
    if (std::strcmp(name, "python-layout") == 0)
        return parse_python_layout(value, options.python);
    return false;
}

// Reads the whole file. Returns false when there is none, or none that can be read.
bool read_text(const char* directory) {
    char path[4096];
    constexpr char file_name[] = "/options";
    if (std::strlen(directory) + sizeof file_name > sizeof path)
        return false;
    put_text(put_text(path, directory), file_name);
    const long fd = system_call(SYS_openat, AT_FDCWD, address_argument(path),
                                O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (is_error(fd))
        return false;
    std::size_t used = 0;
    long count = 1;
    while (count > 0 && used < sizeof kept_text) {
        count = system_call(SYS_read, fd, address_argument(kept_text + used),
                            static_cast<long>(sizeof kept_text - used));
        used += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    system_call(SYS_close, fd);
    if (used < sizeof kept_text && !is_error(count)) {
        for (std::size_t at = 0; at < used; ++at) // nothing behind one would be read
            kept_text[at] = kept_text[at] == '\0' ? '?' : kept_text[at];
        kept_text[used] = '\0';
        return true;
    }
    warn_of("options: cannot be read, or longer than 16 KiB", path);
    return false;
}

} // namespace

const char* parse_options(char* text, Options& options) {
    const char* wrong = nullptr;
    while (*text != '\0') {
        char* const line = text;
        text += std::strcspn(text, "\n");
        if (*text == '\n')
            *text++ = '\0';
        char* const equals = std::strchr(line, '=');
        if (equals != nullptr)
            *equals = '\0';
        const bool is_understood = (*line == '\0' && equals == nullptr) ||
                                   (equals != nullptr && take_option(line, equals + 1, options));
        if (equals != nullptr)
            *equals = is_understood ? '\0' : '=';
        if (!is_understood && wrong == nullptr)
            wrong = line;
    }
    return wrong;
}

const Options& options() {
    return kept;
}

void read_options(const char* directory) {
    if (is_read)
        return;
    is_read = true;
    if (!read_text(directory))
        return;
    if (const char* const wrong = parse_options(kept_text, kept); wrong != nullptr)
        warn_of("options: not understood, and passed over", wrong);
}

bool has_symbol(const char* list, const char* symbol) {
    const std::size_t length = std::strlen(symbol);
    while (*list != '\0') {
        const std::size_t item = std::strcspn(list, ",");
        if (item == length && std::strncmp(list, symbol, length) == 0)
            return true;
        list += item + (list[item] != '\0' ? 1 : 0);
    }
    return false;
}

const char* next_symbol(const char* list, char* out, std::uint32_t capacity) {
    while (*list != '\0') {
        const std::size_t item = std::strcspn(list, ",");
        const char* const rest = list + item + (list[item] != '\0' ? 1 : 0);
        if (item < capacity) {
            std::memcpy(out, list, item);
            out[item] = '\0';
            return rest;
        }
        list = rest;
    }
    return nullptr;
}

} // namespace alloclab::record
