// Copyright 2026 The edge_perception authors
// SPDX-License-Identifier: Apache-2.0
//
// A CUDA driver without a GPU: the memory of its "GPU" is that of the process. It keeps the rules
// that a real one keeps silently or punishes with a crash, and counts every breach:
//  - memory, streams and copies want a context that is current on the calling thread;
//  - what is given back was taken before, once, in the same context;
//  - a copy stays inside of what was allocated, and happens no earlier than its stream is waited
//    for, so that who forgets to wait sees old numbers;
//  - a primary context lives from the first retain to the last release.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;
typedef struct { int device; int count; } Context;
typedef void (*Callback)(void *);
typedef struct { void *to; const void *from; size_t size; Callback call; void *argument; } Work;
typedef struct { Context *context; Work work[64]; int length; } Stream;
typedef enum { FREE, DEVICE, HOST, STREAM } Kind;
typedef struct { Kind kind; char *at; size_t size; Context *context; } Block;

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100,
       INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, DRIVER_MISMATCH = 803 };
enum { DEVICES = 2, BLOCKS = 4096, DEPTH = 16, WORDS = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Context contexts[DEVICES] = {{0, 0}, {1, 0}};
static Block blocks[BLOCKS];
static __thread Context *stack[DEPTH];
static __thread int depth;
static int initialized, devices, integrated, violations;
static char first_violation[WORDS];
// The call that fails, after so many that succeed.
static char failing[WORDS];
static int failing_code, failing_after;

static void violation(const char *what) {
  if (!violations++) snprintf(first_violation, WORDS, "%s", what);
}

static int fails(const char *call) {
  return strcmp(call, failing) || failing_after-- > 0 ? OK : failing_code;
}

#define ENTER(call)                                              \
  if (!initialized) return NOT_INITIALIZED;                      \
  { int code = fails(call); if (code) return code; }
#define CURRENT(call)                                            \
  ENTER(call)                                                    \
  if (!depth || !stack[depth - 1]->count) {                      \
    violation(call " without a current context");                \
    return INVALID_CONTEXT;                                      \
  }                                                              \
  Context *context = stack[depth - 1];                           \

// --- for tests ---

void fake_cuda_reset(int device_count, int is_integrated) {
  memset(blocks, 0, sizeof blocks);
  for (int i = 0; i < DEVICES; i++) contexts[i].count = 0;
  depth = violations = 0;
  devices = device_count;
  integrated = is_integrated;
  failing[0] = first_violation[0] = 0;
}

void fake_cuda_fail(const char *call, int code, int after) {
  snprintf(failing, WORDS, "%s", call);
  failing_code = code;
  failing_after = after;
}

int fake_cuda_live(int kind) {
  int count = 0;
  for (int i = 0; i < BLOCKS; i++) count += blocks[i].kind == (Kind)kind;
  return count;
}

int fake_cuda_retained(int device) { return contexts[device].count; }
int fake_cuda_depth(void) { return depth; }
int fake_cuda_current(void) { return depth && stack[depth - 1]->count ? stack[depth - 1]->device : -1; }
const char *fake_cuda_first_violation(void) { return first_violation; }
void fake_cuda_violation(const char *what) { violation(what); }

static Block *find(Kind kind, const void *at, size_t size) {
  for (int i = 0; i < BLOCKS; i++) {
    Block *b = &blocks[i];
    if (b->kind == kind && (const char *)at >= b->at && (const char *)at + size <= b->at + b->size)
      return b;
  }
  return NULL;
}

static int known(Kind kind, const void *at, size_t size) {
  pthread_mutex_lock(&lock);
  int found = find(kind, at, size) != NULL;
  pthread_mutex_unlock(&lock);
  return found;
}

// What a kernel does: run a function when the stream comes to it.
int fake_cuda_launch(Stream *stream, Callback call, void *argument) {
  if (!known(STREAM, stream, 1) || stream->length == 64) { violation("launch on no stream"); return INVALID_VALUE; }
  stream->work[stream->length++] = (Work){0, 0, 0, call, argument};
  return OK;
}

// --- the driver ---

static void *take(Kind kind, size_t size, Context *context) {
  void *at = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < BLOCKS; i++)
    if (blocks[i].kind == FREE) {
      if (posix_memalign(&at, 256, size)) break;
      memset(at, 0xA5, size);
      blocks[i] = (Block){kind, at, size, context};
      break;
    }
  pthread_mutex_unlock(&lock);
  return at;
}

static CUresult give(Kind kind, void *at, Context *context) {
  pthread_mutex_lock(&lock);
  Block *block = find(kind, at, 1);
  int wrong = !block || block->at != (char *)at || block->context != context;
  if (wrong) violation("memory or stream given back twice, or in another context");
  else { free(block->at); memset(block, 0, sizeof *block); }
  pthread_mutex_unlock(&lock);
  return wrong ? INVALID_VALUE : OK;
}

CUresult cuInit(unsigned flags) {
  const char *code = getenv("FAKE_CUDA_INIT");
  if (!initialized) fake_cuda_reset(devices ? devices : 1, integrated);
  if (code && atoi(code)) return atoi(code);
  initialized = 1;
  return fails("cuInit");
}
CUresult cuDriverGetVersion(int *version) { *version = 12060; return OK; }
CUresult cuDeviceGetCount(int *count) { ENTER("cuDeviceGetCount") *count = devices; return OK; }
CUresult cuDeviceGet(int *device, int index) {
  ENTER("cuDeviceGet")
  if (index < 0 || index >= devices) return INVALID_DEVICE;
  *device = index;
  return OK;
}
CUresult cuDeviceGetName(char *name, int length, int device) {
  ENTER("cuDeviceGetName")
  snprintf(name, length, "Fake GPU %d", device);
  return OK;
}
CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER("cuDeviceGetAttribute")
  *value = attribute == 75 ? 8 : attribute == 76 ? 7 : attribute == 18 ? integrated : 1;
  return OK;
}
CUresult cuDeviceComputeCapability(int *major, int *minor, int device) {
  ENTER("cuDeviceComputeCapability")
  *major = 8;
  *minor = 7;
  return OK;
}
CUresult cuDevicePrimaryCtxRetain(Context **context, int device) {
  ENTER("cuDevicePrimaryCtxRetain")
  if (device < 0 || device >= devices) return INVALID_DEVICE;
  pthread_mutex_lock(&lock);
  contexts[device].count++;
  *context = &contexts[device];
  pthread_mutex_unlock(&lock);
  return OK;
}
CUresult cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER("cuDevicePrimaryCtxRelease")
  pthread_mutex_lock(&lock);
  int count = --contexts[device].count;
  if (count < 0) violation("context released too often");
  if (count == 0)
    for (int i = 0; i < BLOCKS; i++)
      if (blocks[i].kind != FREE && blocks[i].context == &contexts[device]) violation("context released before its memory");
  pthread_mutex_unlock(&lock);
  return OK;
}
CUresult cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }
CUresult cuCtxPushCurrent_v2(Context *context) {
  ENTER("cuCtxPushCurrent")
  if (!context->count) { violation("push of a dead context"); return INVALID_CONTEXT; }
  if (depth == DEPTH) return INVALID_VALUE;
  stack[depth++] = context;
  return OK;
}
CUresult cuCtxPopCurrent_v2(Context **context) {
  ENTER("cuCtxPopCurrent")
  if (!depth) { violation("pop without a context"); return INVALID_CONTEXT; }
  depth--;
  if (context) *context = stack[depth];
  return OK;
}
CUresult cuCtxGetCurrent(Context **context) { *context = depth ? stack[depth - 1] : NULL; return OK; }
CUresult cuCtxGetDevice(int *device) { CURRENT("cuCtxGetDevice") *device = context->device; return OK; }
CUresult cuMemGetInfo_v2(size_t *free, size_t *total) {
  CURRENT("cuMemGetInfo")
  *free = 512u << 20;
  *total = 1024u << 20;
  return OK;
}
CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t size) {
  CURRENT("cuMemAlloc")
  if (!size) return INVALID_VALUE;
  *at = (CUdeviceptr)take(DEVICE, size, context);
  return *at ? OK : OUT_OF_MEMORY;
}
CUresult cuMemFree_v2(CUdeviceptr at) { CURRENT("cuMemFree") return give(DEVICE, (void *)at, context); }
CUresult cuMemHostAlloc(void **at, size_t size, unsigned flags) {
  CURRENT("cuMemHostAlloc")
  if (!size) return INVALID_VALUE;
  *at = take(HOST, size, context);
  return *at ? OK : OUT_OF_MEMORY;
}
CUresult cuMemFreeHost(void *at) { CURRENT("cuMemFreeHost") return give(HOST, at, context); }
CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *seen, void *at, unsigned flags) {
  CURRENT("cuMemHostGetDevicePointer")
  *seen = (CUdeviceptr)at;
  return known(HOST, at, 1) ? OK : INVALID_VALUE;
}
CUresult cuStreamCreate(Stream **stream, unsigned flags) {
  CURRENT("cuStreamCreate")
  *stream = take(STREAM, sizeof(Stream), context);
  if (!*stream) return OUT_OF_MEMORY;
  (*stream)->context = context;
  (*stream)->length = 0;
  return OK;
}
CUresult cuStreamDestroy_v2(Stream *stream) { CURRENT("cuStreamDestroy") return give(STREAM, stream, context); }
CUresult cuStreamSynchronize(Stream *stream) {
  CURRENT("cuStreamSynchronize")
  if (!known(STREAM, stream, 1)) { violation("wait for no stream"); return INVALID_VALUE; }
  for (int i = 0; i < stream->length; i++) {
    Work *work = &stream->work[i];
    if (work->call) work->call(work->argument);
    else memcpy(work->to, work->from, work->size);
  }
  stream->length = 0;
  return OK;
}
static CUresult copy(Stream *stream, void *to, Kind to_kind, const void *from, Kind from_kind, size_t size, Context *context) {
  if (!known(STREAM, stream, 1) || stream->context != context || stream->length == 64 ||
      !known(to_kind, to, size) || !known(from_kind, from, size)) {
    violation("copy outside of what was allocated, or from memory that is not page-locked");
    return ILLEGAL_ADDRESS;
  }
  stream->work[stream->length++] = (Work){to, from, size, NULL, NULL};
  return OK;
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, Stream *stream) {
  CURRENT("cuMemcpyHtoDAsync")
  return copy(stream, (void *)to, DEVICE, from, HOST, size, context);
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, Stream *stream) {
  CURRENT("cuMemcpyDtoHAsync")
  return copy(stream, to, HOST, (void *)from, DEVICE, size, context);
}
CUresult cuGetErrorString(CUresult code, const char **text) {
  *text = code == OUT_OF_MEMORY ? "out of memory" : code == NO_DEVICE ? "no CUDA-capable device is detected"
        : code == DRIVER_MISMATCH ? "system has unsupported display driver / cuda driver combination"
        : code == INVALID_CONTEXT ? "invalid device context" : code == ILLEGAL_ADDRESS ? "an illegal memory access was encountered"
        : "a fake error";
  return OK;
}
CUresult cuGetErrorName(CUresult code, const char **text) { return cuGetErrorString(code, text); }

// cuda-python asks for all functions by this; pycuda and the fake pycuda find them as symbols.
CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, unsigned long long flags, int *status) {
  (void)version; (void)flags;
  char name[WORDS];
  static void *self;
  if (!self) {
    Dl_info info;
    dladdr((void *)cuInit, &info);
    self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  }
  snprintf(name, WORDS, "%s_v2", symbol);
  *function = dlsym(self, name);
  if (!*function) *function = dlsym(self, symbol);
  if (status) *status = *function ? 0 : 1;
  return *function ? OK : NOT_FOUND;
}
CUresult cuGetProcAddress(const char *symbol, void **function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}
