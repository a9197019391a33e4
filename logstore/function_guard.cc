// What a function of Go asks of the engine while the engine calls it. The engine
// says by an exception that there is no more memory, which may not pass through
// Go: here it becomes a return value. And a function learns by whose connection
// it is called, so that it can stop when that one's query is over.
#include <cstdint>
#include <cstdlib>

extern "C" {

// The engine's C interface, as duckdb.h has it; handles are pointers.
void duckdb_vector_assign_string_element_len(void *vector, uint64_t index, const char *text, uint64_t length);
void duckdb_scalar_function_get_client_context(void *bind, void **context);
uint64_t duckdb_client_context_get_connection_id(void *context);
void duckdb_destroy_client_context(void **context);
void duckdb_scalar_function_set_bind_data(void *bind, void *data, void (*destroy)(void *));
void duckdb_scalar_function_set_bind_data_copy(void *bind, void *(*copy)(void *));

// glasswardAssign gives a cell of a vector its text, and says whether there was memory for it.
int glasswardAssign(void *vector, uint64_t index, const char *text, uint64_t length) {
	try {
		duckdb_vector_assign_string_element_len(vector, index, text, length);
		return 1;
	} catch (...) {
		return 0;
	}
}

static void *copyCaller(void *data) {
	uint64_t *p = static_cast<uint64_t *>(malloc(sizeof(uint64_t)));
	if (p) *p = *static_cast<uint64_t *>(data);
	return p;
}

// glasswardBind keeps the number of the connection that plans a call with the call.
void glasswardBind(void *bind) {
	uint64_t *p = static_cast<uint64_t *>(malloc(sizeof(uint64_t)));
	if (!p) return;
	void *context = nullptr;
	duckdb_scalar_function_get_client_context(bind, &context);
	*p = duckdb_client_context_get_connection_id(context);
	duckdb_destroy_client_context(&context);
	duckdb_scalar_function_set_bind_data(bind, p, free);
	duckdb_scalar_function_set_bind_data_copy(bind, copyCaller);
}

}
