// SPDX-License-Identifier: MIT
// Allocates, does something to itself or to its recording, allocates again, and so does a child of
// each kind: a fork, and an image of its own. Its exit code is 5 when all of them did.
//   hostile nothing                 hostile truncate FILE BYTES
//   hostile remove FOLDER           hostile close
//   hostile chroot FOLDER           hostile user ID
//   hostile memory                  hostile descriptors COUNT
//   hostile filter                  hostile stop
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { rounds = 150000, code = 5, size_before = 1001, size_after = 2002 };

static void churn(size_t size) {
    for (int round = 0; round < rounds; ++round) {
        void* volatile block = malloc(size);
        free(block);
    }
}

static int remove_one(const char* path, const struct stat* status, int kind, struct FTW* place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int limit(int resource, rlim_t value) {
    struct rlimit both = {value, value};
    return setrlimit(resource, &both);
}

// What of the address space is in use, and a mebibyte.
static rlim_t used_and_a_little(void) {
    char line[64] = "";
    const int fd = open("/proc/self/statm", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
        abort();
    close(fd);
    return strtoul(line, NULL, 10) * 4096 + (1 << 20);
}

// Kills whoever opens a file from here on.
static int forbid_opening(void) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int act(const char* what, char** more) {
    if (strcmp(what, "truncate") == 0)
        return truncate(more[0], atol(more[1]));
    if (strcmp(what, "remove") == 0)
        return nftw(more[0], remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (strcmp(what, "close") == 0)
        return (int)syscall(SYS_close_range, 3U, ~0U, 0U);
    if (strcmp(what, "chroot") == 0)
        return chroot(more[0]) || chdir("/");
    if (strcmp(what, "user") == 0)
        return setuid((uid_t)atoi(more[0]));
    if (strcmp(what, "memory") == 0)
        return limit(RLIMIT_AS, used_and_a_little());
    if (strcmp(what, "descriptors") == 0)
        return limit(RLIMIT_NOFILE, (rlim_t)atoi(more[0]));
    if (strcmp(what, "filter") == 0)
        return forbid_opening();
    if (strcmp(what, "stop") == 0)
        return raise(SIGSTOP);
    return 0;
}

static int is_status(pid_t child) {
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == code;
}

int main(int count, char** arguments) {
    if (count < 2)
        return 1;
    churn(size_before);
    if (act(arguments[1], arguments + 2) != 0)
        return errno == ENOSYS ? 77 : 1;
    churn(size_after);
    const pid_t forked = fork();
    if (forked == 0) {
        churn(size_before);
        _exit(code);
    }
    if (!is_status(forked))
        return 2;
    if (strcmp(arguments[1], "remove") == 0) {
        const pid_t started = fork();
        if (started == 0)
            execl("/proc/self/exe", arguments[0], "nothing", (char*)NULL);
        if (!is_status(started))
            return 3;
    }
    return code;
}
