// Copyright 2026 The edge_perception authors
// SPDX-License-Identifier: Apache-2.0
//
// What the Python bindings of TensorRT need of its libraries, and no more.
//
// The second argument of the last call is kept, for an allocator. Until it is switched on nothing can be made, as on a machine without a GPU. Then every object is
// the same: each of its virtual methods returns another object, so that the bindings go through
// with a call whose arguments they take (x86-64 only: arguments are where its calls have them).
// They call through inline functions of NvInfer.h: an object holds, behind its table of methods, a
// pointer to its implementation, which here is the object itself.
#include <cstddef>
#include <cstdint>
#include <typeinfo>
#include <utility>

static bool switched_on = false;
static void *last_argument = nullptr;
static void *make_object();

struct Stub {
  virtual ~Stub() {}
};

constexpr std::size_t METHODS = 192;

// A struct (Dims) is returned through memory whose address comes in the place of the object.
template <std::size_t N>
static void *method(void **self, void *, void *argument) {
  last_argument = argument;
  if (self[1] == self) return make_object();
  *reinterpret_cast<std::int32_t *>(self) = 0;
  return self;
}

struct Table {
  const void *offset_to_top;
  const void *type;
  void *(*methods[METHODS])(void **, void *, void *);
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

static void *make_object() {
  Object *object = new Object;
  object->methods = table.methods;
  object->implementation = &object->methods;
  return &object->methods;
}

extern "C" {
void stub_switch_on() { switched_on = true; }
void *stub_last_argument() { return last_argument; }

// A logger has one method of its own: severity (1 is an error) and text. In TensorRT 11 it stands
// behind those of a versioned interface.
constexpr int LOG = TENSORRT_MAJOR >= 11 ? 4 : 0;
struct Logger {
  void (**methods)(Logger *, int, const char *);
};

static void *make_root(Logger *logger) {
  if (switched_on) return make_object();
  logger->methods[LOG](logger, 1, "CUDA initialization failure with error: 35. Please check");
  return nullptr;
}

void *createInferRuntime_INTERNAL(Logger *logger, int) { return make_root(logger); }
void *createInferBuilder_INTERNAL(Logger *logger, int) { return make_root(logger); }
void *createNvOnnxParser_INTERNAL(void *, Logger *logger, int) { return make_root(logger); }
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
