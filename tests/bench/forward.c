/* A program that forwards bytes and does nothing else: what that costs on a machine at the least. Built by
   bench_faultproxy.py.

   forward TARGET PIECE copy|splice: prints its port, and passes one connection after the other on to a port of this
   machine, both ways, so many bytes at a time at most; through memory of its own, or within the kernel (splice(2)). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t piece;
static char *memory; /* NULL where the kernel moves the bytes */
static int through[2];

static void give_up(const char *what) { perror(what); exit(1); }

/* Passes on what is there, and returns how much that was; 0 at the end. */
static ssize_t forward(int from, int to) {
    ssize_t had = memory ? recv(from, memory, piece, 0) : splice(from, NULL, through[1], NULL, piece, SPLICE_F_MOVE);
    for (ssize_t gone = 0, some; gone < had; gone += some) {
        some = memory ? send(to, memory + gone, had - gone, MSG_NOSIGNAL)
                      : splice(through[0], NULL, to, NULL, had - gone, SPLICE_F_MOVE);
        if (some <= 0) give_up("forward");
    }
    return had;
}

static void both_ways(int client, int target) {
    struct pollfd ends[2] = {{client, POLLIN}, {target, POLLIN}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        poll(ends, 2, -1);
        for (int i = 0; i < 2; i++)
            if (ends[i].revents && forward(ends[i].fd, i ? client : target) <= 0) {
                shutdown(i ? client : target, SHUT_WR);
                ends[i].fd = -1;
            }
    }
}

static int made(void) {
    int one = 1, bound = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(bound, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return bound;
}

int main(int count, char **words) {
    if (count != 4) return 2;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, target = at;
    socklen_t size = sizeof at;
    int server = made();
    target.sin_port = htons(atoi(words[1]));
    piece = atol(words[2]);
    memory = strcmp(words[3], "copy") ? NULL : malloc(piece);
    if (pipe(through) || fcntl(through[1], F_SETPIPE_SZ, (int)piece) < 0) give_up("pipe");
    if (bind(server, (void *)&at, size) || listen(server, 16)) give_up("listen");
    getsockname(server, (void *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        int client = accept(server, NULL, NULL), to = made();
        if (client < 0 || connect(to, (void *)&target, size)) give_up("connect");
        both_ways(client, to);
        close(client);
        close(to);
    }
}
