// Copyright 2026 The edge_perception authors
// SPDX-License-Identifier: Apache-2.0
//
// What the Python bindings of TensorRT need of its libraries, and no more.
//
// Without a handler nothing can be made, as on a machine without a GPU. With one, every object is
// the same: its virtual methods tell the handler which of them was called on what, and return what
// it answers (x86-64 only: arguments are where its calls have them). The bindings call them through inline functions of NvInfer.h: an object holds, behind
// its table of methods, a pointer to its implementation, which here is the object itself.
#include <cstddef>
#include <cstdint>
#include <typeinfo>
#include <utility>

typedef std::intptr_t Word;
// What was passed by value on the stack, as TensorRT 8 does with Dims.
struct Stack {
  Word words[8];
};
typedef Word (*Handler)(void *self, int method, Word a, Word b, Word c, Word d, Word e,
                        const Stack *stack);

static Handler handler = nullptr;

struct Stub {
  virtual ~Stub() {}
};

constexpr std::size_t METHODS = 192;

template <std::size_t N>
static Word method(void *self, Word a, Word b, Word c, Word d, Word e, Stack stack) {
  return handler ? handler(self, static_cast<int>(N), a, b, c, d, e, &stack) : 0;
}

struct Table {
  const void *offset_to_top;
  const void *type;
  Word (*methods[METHODS])(void *, Word, Word, Word, Word, Word, Stack);
};

template <std::size_t... N>
static Table make_table(std::index_sequence<N...>) {
  return {nullptr, &typeid(Stub), {method<N>...}};
}

static const Table table = make_table(std::make_index_sequence<METHODS>());

// Sixteen bytes too far from a multiple of 256, so that an address that is read as bool is true.
struct alignas(256) Object {
  char unused[16];
  const void *methods;
  void *implementation;
};

extern "C" {
void stub_set_handler(Handler wanted) { handler = wanted; }

void *stub_make_object() {
  Object *object = new Object;
  object->methods = table.methods;
  object->implementation = &object->methods;
  return &object->methods;
}

// A logger has one method of its own: severity (1 is an error) and text. In TensorRT 11 it stands
// behind those of a versioned interface.
constexpr int LOG = TENSORRT_MAJOR >= 11 ? 4 : 0;
struct Logger {
  void (**methods)(Logger *, int, const char *);
};

static void *make_root(int method, Logger *logger) {
  if (handler) return reinterpret_cast<void *>(handler(nullptr, method, 0, 0, 0, 0, 0, nullptr));
  logger->methods[LOG](logger, 1, "CUDA initialization failure with error: 35. Please check");
  return nullptr;
}

void *createInferRuntime_INTERNAL(Logger *logger, int) { return make_root(1, logger); }
void *createInferBuilder_INTERNAL(Logger *logger, int) { return make_root(2, logger); }
void *createNvOnnxParser_INTERNAL(void *, Logger *logger, int) { return make_root(3, logger); }
void *createInferRefitter_INTERNAL(void *, void *, int) { return nullptr; }
void *createNvOnnxParserRefitter_INTERNAL(void *, void *, int) { return nullptr; }
bool initLibNvInferPlugins(void *, const char *) { return true; }
int getNvOnnxParserVersion() { return 0; }
int getInferLibVersion() { return 0; }
void *getPluginRegistry() { return nullptr; }
void *getBuilderPluginRegistry(int) { return nullptr; }
// Of parsers that 8.6 still has.
void *_ZN11nvuffparser15createUffParserEv() { return nullptr; }
void _ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi() {}
void *_ZN14nvcaffeparser117createCaffeParserEv() { return nullptr; }
void _ZN14nvcaffeparser123shutdownProtobufLibraryEv() {}
}
