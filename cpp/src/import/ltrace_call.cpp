// SPDX-License-Identifier: MIT
#include "ltrace_call.hpp"

#include <alloclab/base/error.hpp>

#include <string>

namespace alloclab {

namespace {

using Call = LtraceFunction::Call;

constexpr LtraceFunction functions[] = {
    {"malloc", Call::malloc, 1},
    {"free", Call::free, 1},
    {"calloc", Call::calloc, 2},
    {"realloc", Call::realloc, 2},
    {"memalign", Call::memalign, 2},
    {"aligned_alloc", Call::aligned_alloc, 2},
    {"posix_memalign", Call::posix_memalign, 3},
    {"_Znwm", Call::malloc, 1},
    {"_Znam", Call::malloc, 1},
    {"_ZdlPv", Call::free, 1},
    {"_ZdaPv", Call::free, 1},
    {"_ZdlPvm", Call::free, 1},
    {"_ZdaPvm", Call::free, 1},
    {"operator new(unsigned long)", Call::malloc, 1},
    {"operator new[](unsigned long)", Call::malloc, 1},
    {"operator delete(void*)", Call::free, 1},
    {"operator delete[](void*)", Call::free, 1},
    {"operator delete(void*, unsigned long)", Call::free, 1},
    {"operator delete[](void*, unsigned long)", Call::free, 1},
};

// Numbers are decimal or, from 0x on, hexadecimal; a null pointer may be a word.
bool take_value(Scanner& scan, std::uint64_t& value) {
    if (scan.take("nil") || scan.take("NULL")) {
        value = 0;
        return true;
    }
    return scan.rest().starts_with("0x") ? scan.address(value) : scan.number(value);
}

} // namespace

const LtraceFunction* take_ltrace_function(Scanner& scan, bool is_resumed) {
    Scanner attempt = scan;
    const std::string_view whole = attempt.rest().substr(0, 256);
    // The object that calls may stand in front ("ls->"), the one that is called behind ("@libc").
    const std::size_t bracket = whole.find('(');
    const std::size_t arrow = whole.find("->");
    if (arrow != std::string_view::npos && (bracket == std::string_view::npos || arrow < bracket)) {
        attempt.take(whole.substr(0, arrow + 2));
    }
    for (const LtraceFunction& function : functions) {
        Scanner after = attempt;
        if (!after.take(function.name)) {
            continue;
        }
        if (after.rest().starts_with('@')) {
            after.until("( ");
        }
        if (after.take(is_resumed ? std::string_view(" resumed>") : std::string_view("("))) {
            scan = after;
            return &function;
        }
    }
    return nullptr;
}

LtraceCall read_ltrace_arguments(const LtraceFunction& function, Scanner& scan) {
    LtraceCall call{.function = &function};
    for (std::uint8_t index = 0; index < function.arguments; ++index) {
        if (index != 0) {
            scan.take(',');
            scan.spaces();
        }
        if (!take_value(scan, call.arguments[index])) {
            throw TraceError("an argument of " + std::string(function.name) + " is no number");
        }
    }
    const std::string_view rest = scan.rest();
    if (!rest.starts_with(')') && !rest.starts_with(',') && !rest.starts_with(" <")) {
        throw TraceError("the arguments of " + std::string(function.name) + " do not end");
    }
    return call;
}

bool ends_unfinished(const Scanner& scan) {
    return scan.rest().ends_with("<unfinished ...>") || scan.rest().ends_with("<no return ...>");
}

std::uint64_t read_ltrace_result(const LtraceFunction& function, Scanner& scan) {
    std::uint64_t result = 0;
    scan.until(")");
    if (!scan.take(')')) {
        throw TraceError("the bracket of " + std::string(function.name) + " is not closed");
    }
    scan.spaces();
    if (!scan.take('=')) {
        throw TraceError("there is no result of " + std::string(function.name));
    }
    scan.spaces();
    if (function.call == Call::free) {
        return 0; // nothing, or whatever was in the register
    }
    if (!take_value(scan, result)) {
        throw TraceError("the result of " + std::string(function.name) + " is no number");
    }
    scan.spaces();
    if (!scan.is_at_end() && !scan.take('<')) {
        throw TraceError("there is something after the result");
    }
    return result;
}

} // namespace alloclab
