/* Put before libc: writes down, in their order, what a process does to the files whose names begin with
 * $POWER_CUT_FILES, in the log $POWER_CUT_LOG. power_cut.py reads it. A record: kind, length of the name, offset,
 * length of the data; then the name and the data. It is written once the call has succeeded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct __attribute__((packed)) head {
  uint8_t kind;
  uint16_t name;
  uint64_t offset;
  uint64_t data;
};

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int book = -1;

static int watched(const char *name) {
  const char *files = getenv("POWER_CUT_FILES");
  return files != NULL && strncmp(name, files, strlen(files)) == 0;
}

static int name_of(int fd, char *name, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, name, size - 1);
  if (length <= 0) return 0;
  name[length] = '\0';
  return watched(name);
}

static void note(char kind, const char *name, uint64_t offset, const void *data, uint64_t length) {
  if (book < 0) book = open(getenv("POWER_CUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct head head = {(uint8_t)kind, (uint16_t)strlen(name), offset, length};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)data, length}};
  if (writev(book, parts, 3) != (ssize_t)(sizeof head + head.name + length)) abort();
}

#define REAL(type, call, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, call)

#define NOTED(fd, call, kind, offset, data, length) \
  char name[4096]; \
  if (!name_of(fd, name, sizeof name)) return call; \
  pthread_mutex_lock(&turn); \
  ssize_t done = call; \
  if (done >= 0) note(kind, name, (uint64_t)(offset), data, (uint64_t)(length)); \
  pthread_mutex_unlock(&turn); \
  return done

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  NOTED(fd, real(fd, data, length, offset), 'w', offset, data, done);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  NOTED(fd, real(fd, data, length, offset), 'w', offset, data, done);
}

ssize_t write(int fd, const void *data, size_t length) {
  REAL(ssize_t, "write", int, const void *, size_t);
  NOTED(fd, real(fd, data, length), 'w', lseek(fd, 0, SEEK_CUR) - done, data, done);
}

int ftruncate64(int fd, off64_t length) {
  REAL(int, "ftruncate64", int, off64_t);
  NOTED(fd, real(fd, length), 't', length, "", 0);
}

int ftruncate(int fd, off_t length) {
  REAL(int, "ftruncate", int, off_t);
  NOTED(fd, real(fd, length), 't', length, "", 0);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  NOTED(fd, real(fd), 's', 0, "", 0);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  NOTED(fd, real(fd), 's', 0, "", 0);
}

int unlink(const char *name) {
  REAL(int, "unlink", const char *);
  if (!watched(name)) return real(name);
  pthread_mutex_lock(&turn);
  int done = real(name);
  if (done == 0) note('u', name, 0, "", 0);
  pthread_mutex_unlock(&turn);
  return done;
}
