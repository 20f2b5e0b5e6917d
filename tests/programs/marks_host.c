/* SPDX-License-Identifier: MIT */
/* Runs marks.c or its twin as a library. */

int marks_run(void);

int main(void) {
    return marks_run();
}
