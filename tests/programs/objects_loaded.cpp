// SPDX-License-Identifier: MIT

// A library whose operator new is in sight of itself only, once loads.c has loaded it.

static int* volatile kept = new int(1);

namespace {
struct Deleter {
    ~Deleter() { delete kept; }
};
const Deleter deleter;
} // namespace
