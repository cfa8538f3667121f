// Copyright 2026 The edge_perception authors
// SPDX-License-Identifier: Apache-2.0
//
// A libedgetpu without an Edge TPU: takes edgetpu-custom-op, and every other operator that is not
// built in, and fills its outputs with 42. FAKE_EDGE_TPU says what goes wrong: "absent" (no
// stick), "crash" (built for another runtime), "gone:FILE" (the stick vanishes once FILE exists).
//
// The structures are those of tensorflow/lite/core/c/common.h, as far as they are used.

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct { IntArray *inputs, *outputs; } Node;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external, *async_kernel;
  uint64_t inplace_operator;
} Registration;

typedef struct {
  int type;
  char *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  char unused[64];
} Tensor;

struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*resize_tensor)(Context *, Tensor *, IntArray *);
  void (*report_error)(Context *, const char *, ...);
  int (*add_tensors)(Context *, int, int *);
  int (*get_node_and_registration)(Context *, int, Node **, Registration **);
  int (*replace_node_subsets)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *opaque;
};

static const char *trouble(const char *kind) {
  const char *said = getenv("FAKE_EDGE_TPU");
  size_t length = strlen(kind);
  return said != NULL && strncmp(said, kind, length) == 0 ? said + length : NULL;
}

static int exists(const char *file) { return file != NULL && access(file, F_OK) == 0; }

static int kernel_prepare(Context *context, Node *node) { return 0; }

static int kernel_invoke(Context *context, Node *node) {
  if (exists(trouble("gone:"))) {
    context->report_error(context, "USB transfer error 5 [LibUsbDataOut]");
    return 1;
  }
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *output = &context->tensors[node->outputs->data[i]];
    memset(output->data, 42, output->bytes);
  }
  return 0;
}

static int delegate_prepare(Context *context, Delegate *delegate) {
  if (trouble("crash")) raise(SIGSEGV);
  IntArray *plan;
  context->get_execution_plan(context, &plan);
  IntArray *mine = malloc(sizeof(IntArray) + plan->size * sizeof(int));
  mine->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *registration;
    context->get_node_and_registration(context, plan->data[i], &node, &registration);
    if (registration->custom_name != NULL)
      mine->data[mine->size++] = plan->data[i];
  }
  Registration kernel = {0};
  kernel.prepare = kernel_prepare;
  kernel.invoke = kernel_invoke;
  kernel.custom_name = "FakeEdgeTpu";
  kernel.version = 1;
  int status = context->replace_node_subsets(context, kernel, mine, delegate);
  free(mine);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report_error)(const char *)) {
  if (trouble("absent")) {
    report_error("Could not open device");
    return NULL;
  }
  Delegate *delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = delegate_prepare;
  delegate->flags = 1;  // kTfLiteDelegateFlagsAllowDynamicTensors: do not prepare operators first
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
