/* How late a generator is on this machine that does nothing but what it has to: an open loop in C, which never
   sleeps. Built by bench_loadtest.py.

   pacer_floor PORT RATE SECONDS CONNECTIONS: sends a request at each moment over whichever connection is free,
   reads the answers, and prints how many there were, how late requests were come to (p50 and p99, µs), and the
   CPU of the process in seconds. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };
static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int rising(const void *one, const void *other) {
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static int connected(int port, int watched) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, made = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(made, (void *)&at, sizeof at)) { perror("connect"); exit(1); }
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = made};
    epoll_ctl(watched, EPOLL_CTL_ADD, made, &wanted);
    return made;
}

static void ask(int connection) {
    if (send(connection, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0) { perror("send"); exit(1); }
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    long rate = atol(arguments[2]), wanted = rate * atol(arguments[3]), connections = atol(arguments[4]);
    int *idle = malloc(sizeof *idle * connections), watched = epoll_create1(0);
    uint32_t *late_ns = malloc(sizeof *late_ns * wanted);
    for (long i = 0; i < connections; i++) idle[i] = connected(atoi(arguments[1]), watched);
    long come_to = 0, sent = 0, answers = 0, idle_count = connections;
    uint64_t begun = clock_ns(CLOCK_MONOTONIC), ends = begun + (atol(arguments[3]) + 2) * 1000000000ull;
    while (answers < wanted) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (now > ends) break;
        while (come_to < wanted) {
            uint64_t due = begun + come_to * 1000000000ull / rate;
            if (due > now) break;
            uint64_t late = now - due;
            late_ns[come_to++] = late > UINT32_MAX ? UINT32_MAX : late;
            if (idle_count) { ask(idle[--idle_count]); sent++; now = clock_ns(CLOCK_MONOTONIC); }
        }
        while (sent < come_to && idle_count) { ask(idle[--idle_count]); sent++; }
        struct epoll_event ready[EVENTS_MAX];
        int some = epoll_wait(watched, ready, EVENTS_MAX, 0);
        for (int i = 0; i < some; i++) {
            char answer[4096];
            if (recv(ready[i].data.fd, answer, sizeof answer, 0) <= 0) exit(1);
            idle[idle_count++] = ready[i].data.fd;
            answers++;
        }
    }
    qsort(late_ns, come_to, sizeof *late_ns, rising);
    printf("%ld %.3f %.3f %.3f\n", answers, late_ns[come_to / 2] / 1e3, late_ns[come_to - 1 - come_to / 100] / 1e3,
           clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
    return 0;
}
