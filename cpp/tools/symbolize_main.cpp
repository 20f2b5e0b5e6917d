// SPDX-License-Identifier: MIT
// alloclab-symbolize: names the functions and lines behind addresses in program files.
//
// One request on standard input, answers on standard output, until either ends. Numbers are
// little-endian, u32 unless it says u64; a text is its length and its bytes.
//
//   request   magic "ASYM", version 1, memory limit in bytes (u64, 0: none), number of modules;
//   then
//             for each: path (text), build id (text, hex, empty: not known), flags (1: look into
//             symbol tables only), number of addresses; then the addresses (u64 each, in the object
//             file's own address space), then a byte each, 1 for a return address: what was called
//             stands before it.
//   answer    for each module in turn, written as soon as it is known: size of what follows (u64),
//             number of the module, reason (text: why less is known than could be; empty: all is);
//             number of texts, texts; number of frames, frames: function (index of a text), file
//             (likewise), line (0: not known), 1 if inlined into the next frame else 0; number of
//             lists, lists: a length and so many indices of frames, innermost first, list 0 being
//             empty; number of addresses, for each the index of its list.
//
// A file can be damaged such that libdw crashes, hangs or asks for all memory: the first module
// without an answer is then to blame, and whoever asked starts again without it.

#include "symbolize_object.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

namespace {

using alloclab::Answer;
using alloclab::ModuleRequest;

class Input {
public:
    explicit Input(std::string bytes) : bytes_(std::move(bytes)) {}

    template <class T> T number() {
        T value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

    std::string text() { return std::string(take(number<std::uint32_t>())); }

    template <class T> std::vector<T> numbers(std::size_t count) {
        if (count > bytes_.size()) {
            throw std::runtime_error("the request ends too soon");
        }
        const std::string_view from = take(count * sizeof(T));
        std::vector<T> values(count);
        if (count > 0) {
            std::memcpy(values.data(), from.data(), from.size());
        }
        return values;
    }

    std::string_view take(std::size_t size) {
        if (size > bytes_.size() - at_) {
            throw std::runtime_error("the request ends too soon");
        }
        at_ += size;
        return std::string_view(bytes_).substr(at_ - size, size);
    }

private:
    std::string bytes_;
    std::size_t at_ = 0;
};

std::string read_all(std::FILE* file) {
    std::string bytes;
    char block[64 << 10];
    while (const std::size_t size = std::fread(block, 1, sizeof block, file)) {
        bytes.append(block, size);
    }
    return bytes;
}

std::vector<ModuleRequest> read_modules(Input& input) {
    std::vector<ModuleRequest> modules;
    for (auto left = input.number<std::uint32_t>(); left > 0; --left) {
        ModuleRequest module;
        module.path = input.text();
        module.build_id = input.text();
        module.is_symbols_only = (input.number<std::uint32_t>() & 1) != 0;
        const auto count = input.number<std::uint32_t>();
        module.addresses = input.numbers<std::uint64_t>(count);
        module.is_return = input.numbers<std::uint8_t>(count);
        modules.push_back(std::move(module));
    }
    return modules;
}

// Address space is left alone: large files are mapped whole, and cost little.
void limit(std::uint64_t memory_bytes) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    if (memory_bytes > 0) {
        const rlimit memory{memory_bytes, memory_bytes};
        ::setrlimit(RLIMIT_DATA, &memory);
    }
}

void write_answer(const Answer& answer, std::uint32_t module) {
    const std::string bytes = answer.bytes(module);
    const std::uint64_t size = bytes.size();
    if (std::fwrite(&size, sizeof size, 1, stdout) != 1 ||
        std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() ||
        std::fflush(stdout) != 0) {
        throw std::runtime_error("cannot write the answer");
    }
}

} // namespace

int main() {
    // libdwfl would otherwise ask servers of the network.
    ::unsetenv("DEBUGINFOD_URLS");
    try {
        Input input(read_all(stdin));
        if (input.take(4) != "ASYM" || input.number<std::uint32_t>() != 1) {
            throw std::runtime_error("not a request of version 1");
        }
        limit(input.number<std::uint64_t>());
        std::uint32_t number = 0;
        for (const ModuleRequest& module : read_modules(input)) {
            write_answer(alloclab::answer_module(module), number++);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "alloclab-symbolize: %s\n", error.what());
        return 1;
    }
    return 0;
}
