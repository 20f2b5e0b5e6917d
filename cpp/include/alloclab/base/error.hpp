// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace alloclab {

// A failure of set-up or input/output. `what()` is one line that names the operation, the place
// (a path, an offset, a field) and the offending value. Allocation paths never throw it.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A figure that cannot be had here, where nothing is broken: `what()` says why.
class NotMeasuredError : public Error {
public:
    using Error::Error;
};

// A trace, or a capture, whose bytes are not what the format allows; `what()` names the offset.
class TraceError : public Error {
public:
    using Error::Error;
};

// An operating system call that failed: "<operation> <place>: <strerror>".
class SystemError : public Error {
public:
    SystemError(const std::string& operation, const std::string& place, int error_number);
    int error_number() const { return error_number_; }

private:
    int error_number_;
};

} // namespace alloclab
