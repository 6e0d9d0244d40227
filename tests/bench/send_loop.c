/* Fan-out without a WebSocket library or a loop of events: one send() after another. Built by bench_fanout.py.

   send_loop CLIENTS EVENTS SIZE WINDOW BURST, as tests/bench/fanout_servers.py: prints its port, answers the
   handshakes of the benchmark's clients, whose key is always the same, and publishes as they acknowledge. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char ANSWER[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static long acknowledged = -1; /* the first byte says go */

static void reach(long events) {
    char buffer[4096];
    while (acknowledged < events) {
        ssize_t size = read(0, buffer, sizeof buffer);
        if (size <= 0) exit(1);
        acknowledged += size;
    }
}

static double cpu_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void send_all(int descriptor, const uint8_t *data, size_t size) {
    while (size) {
        ssize_t sent = send(descriptor, data, size, MSG_NOSIGNAL);
        if (sent < 0) { perror("send"); exit(1); }
        data += sent;
        size -= sent;
    }
}

static int listening(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (void *)&at, size) || listen(server, 4096)) { perror("listen"); exit(1); }
    getsockname(server, (void *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return server;
}

static int shaken(int server) {
    char request[2048];
    size_t had = 0;
    int one = 1, client = accept(server, NULL, NULL);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (had < 4 || memcmp(request + had - 4, "\r\n\r\n", 4)) {
        ssize_t size = had < sizeof request ? recv(client, request + had, sizeof request - had, 0) : -1;
        if (size <= 0) exit(1);
        had += size;
    }
    send_all(client, (const uint8_t *)ANSWER, sizeof ANSWER - 1);
    return client;
}

int main(int count, char **arguments) {
    if (count != 6) return 2;
    long clients = atol(arguments[1]), events = atol(arguments[2]), size = atol(arguments[3]);
    long window = atol(arguments[4]), burst = atol(arguments[5]), frame_size = size + 4;
    uint8_t *frames = malloc(frame_size * burst);
    for (long i = 0; i < burst; i++) {
        uint8_t head[4] = {0x81, 126, size >> 8, size & 255};
        memcpy(frames + i * frame_size, head, 4);
        memset(frames + i * frame_size + 4, 'x', size);
    }
    int *peers = malloc(sizeof *peers * clients), server = listening();
    for (long i = 0; i < clients; i++) peers[i] = shaken(server);
    reach(0);
    double started = cpu_s();
    for (long number = 0; number < events; number += burst) {
        reach(number - window);
        for (long i = 0; i < clients; i++) send_all(peers[i], frames, frame_size * burst);
    }
    reach(events);
    printf("%f\n", cpu_s() - started);
    return 0;
}
