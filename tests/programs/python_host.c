// SPDX-License-Identifier: MIT

// A program that has Python as a library, opened while it runs: argv[1] is that, argv[2] a script's
// text. Two threads that know nothing of it allocate meanwhile.

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void* churn(void* argument) {
    (void)argument;
    for (size_t size = 1; size < 20000; ++size) {
        void* volatile p = malloc(size % 512 + 1);
        free(p);
    }
    return NULL;
}

int main(int argc, char** argv) {
    pthread_t threads[2];
    if (argc != 3)
        return 2;
    void* const python = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (python == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    void (*const begin)(void) = (void (*)(void))dlsym(python, "Py_Initialize");
    int (*const run)(const char*) = (int (*)(const char*))dlsym(python, "PyRun_SimpleString");
    int (*const end)(void) = (int (*)(void))dlsym(python, "Py_FinalizeEx");
    int result = 0;
    for (int round = 0; round < 2 && result == 0; ++round) {
        for (int thread = 0; thread < 2; ++thread)
            pthread_create(&threads[thread], NULL, churn, NULL);
        begin();
        result = run(argv[2]);
        result |= end();
        for (int thread = 0; thread < 2; ++thread)
            pthread_join(threads[thread], NULL);
    }
    dlclose(python);
    churn(NULL);
    return result == 0 ? 0 : 1;
}
