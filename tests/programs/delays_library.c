/* SPDX-License-Identifier: MIT */

#include <unistd.h>

void SDL_Delay(unsigned milliseconds);

void SDL_Delay(unsigned milliseconds) {
    usleep(milliseconds * 1000);
}
