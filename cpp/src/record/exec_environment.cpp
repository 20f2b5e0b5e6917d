// SPDX-License-Identifier: MIT
#include <alloclab/record/exec_environment.hpp>

#include <alloclab/record/process.hpp>
#include <alloclab/record/settings.hpp>
#include <alloclab/record/text.hpp>

#include <cstring>
#include <sys/mman.h>

namespace alloclab::record {

namespace {

// The value of an entry that sets `name`, or null.
const char* value_of(const char* entry, const char* name) {
    const std::size_t length = std::strlen(name);
    return std::strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1
                                                                          : nullptr;
}

// Whether a list of preloads (separated by colons or spaces) has the path among it.
bool has_preload(const char* list, const char* path) {
    const std::size_t length = std::strlen(path);
    while (*list != '\0') {
        const std::size_t item = std::strcspn(list, ": ");
        if (item == length && std::strncmp(list, path, length) == 0)
            return true;
        list += item;
        list += *list != '\0' ? 1 : 0;
    }
    return false;
}

struct Wanted {
    const char* preloads;  // the caller's, "" for none
    const char* directory; // the caller's, null for none
    std::size_t count;     // of entries
};

Wanted look_through(char* const* entries) {
    Wanted wanted{"", nullptr, 0};
    for (; entries != nullptr && entries[wanted.count] != nullptr; ++wanted.count) {
        if (const char* const value = value_of(entries[wanted.count], preload_variable))
            wanted.preloads = value;
        if (const char* const value = value_of(entries[wanted.count], directory_variable))
            wanted.directory = value;
    }
    return wanted;
}

// Whether the next image's recorder will find its folder. One that lies beside it is found by that.
bool is_folder_known(const char* directory) {
    return directory != nullptr &&
           (settings().is_beside_library || std::strcmp(directory, settings().directory) == 0);
}

} // namespace

ExecEnvironment::ExecEnvironment(char* const* entries) : entries_(entries) {
    if (!read_settings() || settings().library[0] == '\0')
        return;
    const Wanted wanted = look_through(entries);
    if (has_preload(wanted.preloads, settings().library) && is_folder_known(wanted.directory))
        return;
    mapped_bytes_ = (wanted.count + 3) * sizeof(char*) + std::strlen(wanted.preloads) +
                    sizeof(Settings) + sizeof preload_variable + sizeof directory_variable + 8;
    mapped_ = map_memory(mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped_ == nullptr)
        return;
    auto** const copies = static_cast<char**>(mapped_);
    std::size_t count = 0;
    for (std::size_t entry_idx = 0; entry_idx < wanted.count; ++entry_idx)
        if (value_of(entries[entry_idx], preload_variable) == nullptr &&
            value_of(entries[entry_idx], directory_variable) == nullptr)
            copies[count++] = entries[entry_idx];
    char* text = reinterpret_cast<char*>(copies + wanted.count + 3);
    copies[count++] = text;
    text = put_text(put_text(put_text(text, preload_variable), "="), settings().library);
    // The caller's preloads stay behind ours; a list is read up to any separator.
    if (wanted.preloads[0] != '\0' && !has_preload(wanted.preloads, settings().library))
        text = put_text(put_text(text, ":"), wanted.preloads);
    else if (wanted.preloads[0] != '\0')
        text = put_text(put_text(text - std::strlen(settings().library), wanted.preloads), "");
    copies[count++] = ++text;
    put_text(put_text(put_text(text, directory_variable), "="), settings().directory);
    copies[count] = nullptr;
    entries_ = copies;
}

ExecEnvironment::~ExecEnvironment() {
    if (mapped_ != nullptr)
        unmap_memory(mapped_, mapped_bytes_);
}

} // namespace alloclab::record
