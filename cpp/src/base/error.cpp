// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>

#include <system_error>

namespace alloclab {

SystemError::SystemError(const std::string& operation, const std::string& place, int error_number)
    : Error(operation + " " + place + ": " + std::generic_category().message(error_number)),
      error_number_(error_number) {}

} // namespace alloclab
