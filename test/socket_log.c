/* Copyright 2026 The edge_perception authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a process and its children, writes every use of the network to $SOCKET_LOG: sockets
 * of the internet families, whom they connect or send to, and names that are looked up. It sees what
 * native libraries do as well, which a hook in Python does not.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void note(const char *what, const char *text)
{
  const char *path = getenv("SOCKET_LOG");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (file) {
    fprintf(file, "%s %s\n", what, text);
    fclose(file);
  }
}

static void note_address(const char *what, const struct sockaddr *address)
{
  char text[INET6_ADDRSTRLEN] = "";
  if (!address) {
    return;
  }
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
  } else {
    return;
  }
  note(what, text);
}

int socket(int domain, int type, int protocol)
{
  int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
  if (domain == AF_INET || domain == AF_INET6) {
    note("socket", (type & 0xf) == SOCK_DGRAM ? "datagram" : "stream");
  }
  return real(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
  int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
  note_address("connect", address);
  return real(fd, address, length);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t length)
{
  ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
      dlsym(RTLD_NEXT, "sendto");
  note_address("send", address);
  return real(fd, data, size, flags, address, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
  ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
  note_address("send", message->msg_name);
  return real(fd, message, flags);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      dlsym(RTLD_NEXT, "getaddrinfo");
  note("lookup", node ? node : "");
  return real(node, service, hints, result);
}
