/* What the author of a Quorate module in C builds on.
 *
 * A module defines the six functions `machine_..` at the end of this file. It is compiled together
 * with `quorate.c`, by clang, without a standard library:
 *
 *   clang --target=wasm32-unknown-unknown -ffreestanding -nostdlib -O2 -Wl,--no-entry \
 *         -Wl,--stack-first -I guest-sdk/c MODULE.c guest-sdk/c/quorate.c -o core.wasm
 *   quorate module pack core.wasm --out MODULE.wasm
 *
 * Rules: nothing is remembered between calls but the store, all memory is thrown away. `apply` and
 * `migrate` depend on their arguments and the store, on nothing else: no clock and no randomness
 * are there, and floats do not belong into what is stored or answered. A trap drops what the
 * command wrote, on every frontend alike; `qr_trap` is one.
 */
#ifndef QUORATE_H
#define QUORATE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- bytes and memory ---------------------------------------------------------------------- */

/* Bytes that lie somewhere: a view, which owns nothing. Text is UTF-8, without a zero at the end. */
typedef struct {
    const uint8_t *at;
    uint32_t length;
} qr_bytes;

/* Bytes that may be absent. */
typedef struct {
    bool present;
    qr_bytes bytes;
} qr_optional;

/* A literal as bytes. */
#define QR_TEXT(literal) ((qr_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

/* Memory until the end of the call; there is nothing to free. Traps when there is no more. */
void *qr_alloc(uint32_t bytes);
/* Ends the call; what it wrote is dropped. */
_Noreturn void qr_trap(void);
bool qr_equal(qr_bytes a, qr_bytes b);
/* As `qr_equal`, without regard to the case of ASCII letters. */
bool qr_equal_word(qr_bytes a, qr_bytes b);
/* The first bytes; all, if there are fewer. */
qr_bytes qr_first(qr_bytes bytes, uint32_t length);
/* What is left after the first bytes. */
qr_bytes qr_after(qr_bytes bytes, uint32_t length);
/* `a` and `b` in a row. */
qr_bytes qr_join(qr_bytes a, qr_bytes b);
/* Takes the next word off a text: what stands between spaces. Empty at the end. */
qr_bytes qr_word(qr_bytes *text);
/* A decimal number, with a sign or without; false when it is none or does not fit. */
bool qr_number(qr_bytes text, int64_t *number);

/* ---- packed layouts: those of guest-sdk/wire ------------------------------------------------- */

/* Appends items to a byte list. Begin with `qr_writer out = {0}`. */
typedef struct {
    uint8_t *at;
    uint32_t length, capacity;
} qr_writer;

void qr_put_byte(qr_writer *out, uint8_t value);
void qr_put_unsigned(qr_writer *out, uint64_t value);
void qr_put_signed(qr_writer *out, int64_t value);
void qr_put_raw(qr_writer *out, qr_bytes value);
/* A length and the bytes; also for text. */
void qr_put_bytes(qr_writer *out, qr_bytes value);
qr_bytes qr_written(const qr_writer *out);

/* Takes items off a byte list. Reading past the end or an overlong number sets `failed` and gives
 * zeros from then on. */
typedef struct {
    qr_bytes rest;
    bool failed;
} qr_reader;

uint8_t qr_take_byte(qr_reader *in);
uint64_t qr_take_unsigned(qr_reader *in);
int64_t qr_take_signed(qr_reader *in);
qr_bytes qr_take_bytes(qr_reader *in);

/* ---- values, replies, descriptions ----------------------------------------------------------- */

enum { QR_INT = 0, QR_UINT = 1, QR_TEXT_COLUMN = 4, QR_BYTES_COLUMN = 5 };

void qr_value_null(qr_writer *row);
void qr_value_int(qr_writer *row, int64_t value);
void qr_value_uint(qr_writer *row, uint64_t value);
void qr_value_text(qr_writer *row, qr_bytes value);
void qr_value_bytes(qr_writer *row, qr_bytes value);

typedef struct {
    qr_bytes name;
    uint8_t type;
} qr_column;

/* The answer of a statement that changed so many rows. */
qr_bytes qr_reply_affected(uint64_t rows);
/* A result set: `values` holds the values of all rows, in a row. */
qr_bytes qr_reply_rows(const qr_column *columns, uint32_t column_count, const qr_writer *values,
                       uint64_t row_count);

typedef struct {
    qr_bytes schema, name;
    const qr_column *columns;
    uint32_t column_count;
} qr_relation;

typedef struct {
    qr_bytes syntax;
    bool writes;
} qr_statement;

/* What a module says of itself; zeros for fuel and memory ask for the defaults. */
typedef struct {
    qr_bytes name, version;
    uint32_t schema;
    const uint32_t *migrates_from;
    uint32_t migrates_from_count;
    /* Those of them whose rows are served while they are migrated, step by step. */
    const uint32_t *serves;
    uint32_t serves_count;
    const qr_relation *relations;
    uint32_t relation_count;
    const qr_statement *statements;
    uint32_t statement_count;
    uint64_t fuel, memory_bytes;
} qr_description;

/* Begins a list of findings; give `count` findings with `qr_finding`. */
void qr_findings(qr_writer *out, uint32_t count);
void qr_finding(qr_writer *out, bool is_error, qr_bytes key, qr_bytes note);

/* ---- what a module may call ------------------------------------------------------------------ */

qr_optional qr_store_get(qr_bytes key);
/* Writes outside of `apply` and `migrate` trap, and so do keys over 4 KiB and values over 1 MiB. */
void qr_store_put(qr_bytes key, qr_bytes value);
void qr_store_delete(qr_bytes key);
uint64_t qr_store_delete_range(qr_bytes low, qr_bytes high);

/* Pairs in `low <= key < high`, at most `rows` (1 to 1024) and about 256 KiB: read key and value in
 * turn off `pairs`. `next` is where to go on: as `low`, or in reverse as `high`. */
typedef struct {
    qr_reader pairs;
    qr_optional next;
} qr_page;
qr_page qr_store_scan(qr_bytes low, qr_bytes high, bool reverse, uint32_t rows);

/* Facts of the log entry, equal on every frontend. */
typedef struct {
    uint64_t lsn, time_us;
    uint32_t index, schema;
    qr_bytes caller;
} qr_context;
qr_context qr_current(void);
/* 32 bytes that clients cannot predict and that are equal on every frontend. */
qr_bytes qr_seed(void);
/* Notifies subscribers; only in `apply`. */
void qr_emit(qr_bytes topic, qr_bytes key, qr_bytes body);
/* A line in the frontend's log. */
enum { QR_DEBUG, QR_INFO, QR_WARN, QR_ERROR };
void qr_trace(int level, qr_bytes text);

/* ---- what a module defines ------------------------------------------------------------------- */

/* A refusal: MySQL error number, SQLSTATE of five characters, text for the client. */
typedef struct {
    uint16_t code;
    qr_bytes sqlstate, message;
} qr_failure;

typedef struct {
    uint64_t id;
    qr_bytes user;
    qr_optional database;
} qr_session;

typedef struct {
    bool is_text;
    qr_bytes content;
} qr_request;

/* What `evaluate` decided: an answer (a packed reply), or a command for `apply`. */
typedef struct {
    bool is_command;
    qr_bytes content;
} qr_evaluation;

/* A page of rows or findings. */
typedef struct {
    qr_bytes items;
    qr_optional next;
} qr_items;

/* All of them but `describe` give false for a refusal, which they then fill in. */
qr_description machine_describe(void);
bool machine_evaluate(const qr_session *session, qr_request request, qr_evaluation *evaluation,
                      qr_failure *failure);
bool machine_apply(qr_bytes command, qr_bytes *reply, qr_failure *failure);
bool machine_scan(qr_bytes relation, qr_bytes constraints, qr_optional cursor, qr_items *rows,
                  qr_failure *failure);
bool machine_migrate(uint32_t from_schema, qr_optional cursor, qr_optional *next,
                     qr_failure *failure);
bool machine_check(qr_optional cursor, qr_items *findings, qr_failure *failure);

#endif
