/* Between the functions that a module in C defines and the component's interface.
 *
 * The signatures are those that the canonical ABI of the component model gives the functions of
 * `wit/` on 32-bit memory: a list or string is a pointer and a length, an option a tag before its
 * content, and what takes more than one word to return comes in memory. Layouts of that memory are
 * the structs below; `_Static_assert` holds them to the ABI.
 */
#include "quorate.h"

#define IMPORT(interface, function)                                                               \
    __attribute__((import_module("quorate:machine/" interface "@0.1.0"), import_name(function)))
#define EXPORT(function) __attribute__((export_name("quorate:machine/machine@0.1.0#" function)))

/* ---- what the compiler calls, there being no standard library ------------------------------- */

void *memcpy(void *restrict to, const void *restrict from, unsigned long bytes) {
    uint8_t *out = to;
    const uint8_t *in = from;
    while (bytes--) *out++ = *in++;
    return to;
}

void *memset(void *to, int value, unsigned long bytes) {
    uint8_t *out = to;
    while (bytes--) *out++ = (uint8_t)value;
    return to;
}

/* ---- memory: grows in one direction, and is all free again when a call begins ----------------- */

enum { PAGE_BYTES = 65536, ALIGN = 8 };

extern uint8_t __heap_base;
static uint32_t next_free;
/* The last call has ended: what the host allocates next are the arguments of another. */
static bool ended = true;

_Noreturn void qr_trap(void) {
    __builtin_trap();
}

void *qr_alloc(uint32_t bytes) {
    if (ended) {
        next_free = ((uint32_t)&__heap_base + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
        ended = false;
    }
    uint64_t end = (uint64_t)next_free + bytes;
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
    if (end > have) {
        uint64_t pages = (end - have + PAGE_BYTES - 1) / PAGE_BYTES;
        if (end > UINT32_MAX ||
            __builtin_wasm_memory_grow(0, (uint32_t)pages) == UINT32_MAX)
            qr_trap();
    }
    void *at = (void *)(uintptr_t)next_free;
    next_free = (uint32_t)((end + ALIGN - 1) & ~(uint64_t)(ALIGN - 1));
    return at;
}

/* The host asks for room for what it hands over. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, uint32_t old_bytes,
                                                                uint32_t align, uint32_t bytes) {
    (void)align; /* At most ALIGN in this interface. */
    void *at = qr_alloc(bytes);
    if (old_bytes) memcpy(at, old, old_bytes < bytes ? old_bytes : bytes);
    return at;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

bool qr_equal(qr_bytes a, qr_bytes b) {
    if (a.length != b.length) return false;
    for (uint32_t i = 0; i < a.length; i++)
        if (a.at[i] != b.at[i]) return false;
    return true;
}

static uint8_t lower(uint8_t letter) {
    return letter >= 'A' && letter <= 'Z' ? letter + ('a' - 'A') : letter;
}

bool qr_equal_word(qr_bytes a, qr_bytes b) {
    if (a.length != b.length) return false;
    for (uint32_t i = 0; i < a.length; i++)
        if (lower(a.at[i]) != lower(b.at[i])) return false;
    return true;
}

qr_bytes qr_first(qr_bytes bytes, uint32_t length) {
    if (length < bytes.length) bytes.length = length;
    return bytes;
}

qr_bytes qr_after(qr_bytes bytes, uint32_t length) {
    if (length > bytes.length) length = bytes.length;
    return (qr_bytes){bytes.at + length, bytes.length - length};
}

qr_bytes qr_join(qr_bytes a, qr_bytes b) {
    qr_writer out = {0};
    qr_put_raw(&out, a);
    qr_put_raw(&out, b);
    return qr_written(&out);
}

qr_bytes qr_word(qr_bytes *text) {
    while (text->length && text->at[0] == ' ') *text = qr_after(*text, 1);
    uint32_t length = 0;
    while (length < text->length && text->at[length] != ' ') length++;
    qr_bytes word = qr_first(*text, length);
    *text = qr_after(*text, length);
    return word;
}

bool qr_number(qr_bytes text, int64_t *number) {
    bool negative = text.length && text.at[0] == '-';
    if (negative || (text.length && text.at[0] == '+')) text = qr_after(text, 1);
    if (!text.length) return false;
    int64_t value = 0;
    for (uint32_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return false;
        int64_t digit = text.at[i] - '0';
        /* Downwards, where there is room for one more. */
        if (value < INT64_MIN / 10) return false;
        if (__builtin_sub_overflow(value * 10, digit, &value)) return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value)) return false;
    *number = value;
    return true;
}

/* ---- packed layouts ------------------------------------------------------------------------- */

void qr_put_raw(qr_writer *out, qr_bytes value) {
    uint64_t needed = (uint64_t)out->length + value.length;
    if (needed > out->capacity) {
        uint64_t capacity = needed * 2 > 64 ? needed * 2 : 64;
        if (capacity > UINT32_MAX) qr_trap();
        uint8_t *at = qr_alloc((uint32_t)capacity);
        memcpy(at, out->at, out->length);
        out->at = at;
        out->capacity = (uint32_t)capacity;
    }
    memcpy(out->at + out->length, value.at, value.length);
    out->length = (uint32_t)needed;
}

void qr_put_byte(qr_writer *out, uint8_t value) {
    qr_put_raw(out, (qr_bytes){&value, 1});
}

void qr_put_unsigned(qr_writer *out, uint64_t value) {
    while (value >= 0x80) {
        qr_put_byte(out, (uint8_t)(value & 0x7f) | 0x80);
        value >>= 7;
    }
    qr_put_byte(out, (uint8_t)value);
}

void qr_put_signed(qr_writer *out, int64_t value) {
    qr_put_unsigned(out, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void qr_put_bytes(qr_writer *out, qr_bytes value) {
    qr_put_unsigned(out, value.length);
    qr_put_raw(out, value);
}

qr_bytes qr_written(const qr_writer *out) {
    return (qr_bytes){out->at, out->length};
}

static qr_bytes take(qr_reader *in, uint64_t length) {
    if (in->failed || length > in->rest.length) {
        in->failed = true;
        return (qr_bytes){0};
    }
    qr_bytes taken = qr_first(in->rest, (uint32_t)length);
    in->rest = qr_after(in->rest, (uint32_t)length);
    return taken;
}

uint8_t qr_take_byte(qr_reader *in) {
    qr_bytes byte = take(in, 1);
    return in->failed ? 0 : byte.at[0];
}

uint64_t qr_take_unsigned(qr_reader *in) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = qr_take_byte(in);
        if (in->failed || (shift == 63 && byte > 1)) break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return value;
    }
    in->failed = true;
    return 0;
}

int64_t qr_take_signed(qr_reader *in) {
    uint64_t raw = qr_take_unsigned(in);
    return (int64_t)((raw >> 1) ^ (raw & 1 ? UINT64_MAX : 0));
}

qr_bytes qr_take_bytes(qr_reader *in) {
    return take(in, qr_take_unsigned(in));
}

/* ---- values, replies, descriptions: tags as in guest-sdk/wire/src/{value,reply,describe}.rs ---- */

void qr_value_null(qr_writer *row) {
    qr_put_byte(row, 0);
}

void qr_value_int(qr_writer *row, int64_t value) {
    qr_put_byte(row, 1);
    qr_put_signed(row, value);
}

void qr_value_uint(qr_writer *row, uint64_t value) {
    qr_put_byte(row, 2);
    qr_put_unsigned(row, value);
}

void qr_value_text(qr_writer *row, qr_bytes value) {
    qr_put_byte(row, 4);
    qr_put_bytes(row, value);
}

void qr_value_bytes(qr_writer *row, qr_bytes value) {
    qr_put_byte(row, 5);
    qr_put_bytes(row, value);
}

enum { REPLY_VERSION = 1, DESCRIPTION_VERSION = 1, DESCRIPTION_VERSION_2 = 2 };

/* No changes to the session and no warnings. */
static qr_bytes end_of_reply(qr_writer *out) {
    qr_put_unsigned(out, 0);
    qr_put_unsigned(out, 0);
    return qr_written(out);
}

qr_bytes qr_reply_affected(uint64_t rows) {
    qr_writer out = {0};
    qr_put_byte(&out, REPLY_VERSION);
    qr_put_byte(&out, 0);
    qr_put_unsigned(&out, rows);
    return end_of_reply(&out);
}

qr_bytes qr_reply_rows(const qr_column *columns, uint32_t column_count, const qr_writer *values,
                       uint64_t row_count) {
    qr_writer out = {0};
    qr_put_byte(&out, REPLY_VERSION);
    qr_put_byte(&out, 1);
    qr_put_unsigned(&out, column_count);
    for (uint32_t i = 0; i < column_count; i++) {
        qr_put_bytes(&out, columns[i].name);
        qr_put_byte(&out, columns[i].type);
    }
    qr_put_unsigned(&out, row_count);
    qr_put_raw(&out, qr_written(values));
    return end_of_reply(&out);
}

void qr_findings(qr_writer *out, uint32_t count) {
    qr_put_unsigned(out, count);
}

void qr_finding(qr_writer *out, bool is_error, qr_bytes key, qr_bytes note) {
    qr_put_byte(out, is_error);
    qr_put_bytes(out, key);
    qr_put_bytes(out, note);
}

static qr_bytes packed_description(const qr_description *description) {
    qr_writer out = {0};
    bool is_first = description->statement_count == 0 && description->serves_count == 0;
    qr_put_byte(&out, is_first ? DESCRIPTION_VERSION : DESCRIPTION_VERSION_2);
    qr_put_bytes(&out, description->name);
    qr_put_bytes(&out, description->version);
    qr_put_unsigned(&out, description->schema);
    qr_put_unsigned(&out, description->migrates_from_count);
    for (uint32_t i = 0; i < description->migrates_from_count; i++)
        qr_put_unsigned(&out, description->migrates_from[i]);
    qr_put_unsigned(&out, description->fuel ? description->fuel : 100000000);
    qr_put_unsigned(&out, description->memory_bytes ? description->memory_bytes : 64 << 20);
    qr_put_unsigned(&out, description->relation_count);
    for (uint32_t i = 0; i < description->relation_count; i++) {
        const qr_relation *relation = &description->relations[i];
        qr_put_bytes(&out, relation->schema);
        qr_put_bytes(&out, relation->name);
        qr_put_unsigned(&out, relation->column_count);
        for (uint32_t c = 0; c < relation->column_count; c++) {
            qr_put_bytes(&out, relation->columns[c].name);
            qr_put_byte(&out, relation->columns[c].type);
            qr_put_byte(&out, 0); /* The host filters by itself. */
        }
    }
    if (!is_first) {
        qr_put_unsigned(&out, description->statement_count);
        for (uint32_t i = 0; i < description->statement_count; i++) {
            qr_put_bytes(&out, description->statements[i].syntax);
            qr_put_byte(&out, description->statements[i].writes);
        }
        qr_put_unsigned(&out, description->serves_count);
        for (uint32_t i = 0; i < description->serves_count; i++)
            qr_put_unsigned(&out, description->serves[i]);
    }
    return qr_written(&out);
}

/* ---- the ABI's layouts ------------------------------------------------------------------------ */

typedef struct {
    uint8_t present;
    qr_bytes bytes;
} abi_optional;
_Static_assert(sizeof(abi_optional) == 12, "option<list<u8>>");

typedef struct {
    qr_bytes items;
    abi_optional next;
} abi_page;
_Static_assert(sizeof(abi_page) == 20, "a list, and an option of one");

typedef struct {
    uint64_t lsn;
    uint32_t index;
    uint64_t time_us;
    uint32_t schema;
    qr_bytes caller;
} abi_context;
_Static_assert(sizeof(abi_context) == 40, "context.info");

typedef struct {
    uint16_t code;
    qr_bytes sqlstate, message;
} abi_failure;
_Static_assert(sizeof(abi_failure) == 20, "failure");

/* result<.., failure> of all kinds. */
typedef struct {
    uint8_t is_failure;
    union {
        qr_bytes bytes;
        abi_optional optional;
        abi_page page;
        struct {
            uint8_t is_command;
            qr_bytes content;
        } evaluation;
        abi_failure failure;
    } content;
} abi_result;
_Static_assert(sizeof(abi_result) == 24, "result");

/* ---- imports ---------------------------------------------------------------------------------- */

IMPORT("store", "get") void store_get(const uint8_t *, uint32_t, abi_optional *);
IMPORT("store", "put") void store_put(const uint8_t *, uint32_t, const uint8_t *, uint32_t);
IMPORT("store", "delete") void store_delete(const uint8_t *, uint32_t);
IMPORT("store", "delete-range")
uint64_t store_delete_range(const uint8_t *, uint32_t, const uint8_t *, uint32_t);
IMPORT("store", "scan")
void store_scan(const uint8_t *, uint32_t, const uint8_t *, uint32_t, uint32_t, uint32_t,
                abi_page *);
IMPORT("context", "current") void context_current(abi_context *);
IMPORT("context", "seed") void context_seed(qr_bytes *);
IMPORT("events", "emit")
void events_emit(const uint8_t *, uint32_t, const uint8_t *, uint32_t, const uint8_t *, uint32_t);
IMPORT("trace", "line") void trace_line(uint32_t, const uint8_t *, uint32_t);

qr_optional qr_store_get(qr_bytes key) {
    abi_optional value;
    store_get(key.at, key.length, &value);
    return (qr_optional){value.present, value.bytes};
}

void qr_store_put(qr_bytes key, qr_bytes value) {
    store_put(key.at, key.length, value.at, value.length);
}

void qr_store_delete(qr_bytes key) {
    store_delete(key.at, key.length);
}

uint64_t qr_store_delete_range(qr_bytes low, qr_bytes high) {
    return store_delete_range(low.at, low.length, high.at, high.length);
}

qr_page qr_store_scan(qr_bytes low, qr_bytes high, bool reverse, uint32_t rows) {
    abi_page page;
    store_scan(low.at, low.length, high.at, high.length, reverse, rows, &page);
    return (qr_page){{page.items, false}, {page.next.present, page.next.bytes}};
}

qr_context qr_current(void) {
    abi_context context;
    context_current(&context);
    return (qr_context){context.lsn, context.time_us, context.index, context.schema,
                        context.caller};
}

qr_bytes qr_seed(void) {
    qr_bytes seed;
    context_seed(&seed);
    return seed;
}

void qr_emit(qr_bytes topic, qr_bytes key, qr_bytes body) {
    events_emit(topic.at, topic.length, key.at, key.length, body.at, body.length);
}

void qr_trace(int level, qr_bytes text) {
    trace_line((uint32_t)level, text.at, text.length);
}

/* ---- exports: results lie here until the host has read them ----------------------------------- */

static abi_result result;

static qr_optional optional(uint32_t present, const uint8_t *at, uint32_t length) {
    return (qr_optional){present != 0, {at, length}};
}

static abi_optional abi(qr_optional value) {
    return (abi_optional){value.present, value.bytes};
}

/* What the call comes to; `failure` counts if it was not done. */
static abi_result *end(bool done, const qr_failure *failure) {
    ended = true;
    result.is_failure = !done;
    if (!done)
        result.content.failure =
            (abi_failure){failure->code, failure->sqlstate, failure->message};
    return &result;
}

EXPORT("describe") qr_bytes *export_describe(void) {
    qr_description description = machine_describe();
    result.content.bytes = packed_description(&description);
    ended = true;
    return &result.content.bytes;
}

EXPORT("evaluate")
abi_result *export_evaluate(uint64_t id, const uint8_t *user, uint32_t user_length,
                            uint32_t has_database, const uint8_t *database,
                            uint32_t database_length, uint32_t is_bytes, const uint8_t *content,
                            uint32_t content_length) {
    qr_session session = {
        id, {user, user_length}, optional(has_database, database, database_length)};
    qr_request request = {!is_bytes, {content, content_length}};
    qr_evaluation evaluation = {0};
    qr_failure failure = {0};
    bool done = machine_evaluate(&session, request, &evaluation, &failure);
    result.content.evaluation.is_command = evaluation.is_command;
    result.content.evaluation.content = evaluation.content;
    return end(done, &failure);
}

EXPORT("apply") abi_result *export_apply(const uint8_t *command, uint32_t length) {
    qr_bytes reply = {0};
    qr_failure failure = {0};
    bool done = machine_apply((qr_bytes){command, length}, &reply, &failure);
    result.content.bytes = reply;
    return end(done, &failure);
}

EXPORT("scan")
abi_result *export_scan(const uint8_t *relation, uint32_t relation_length,
                        const uint8_t *constraints, uint32_t constraints_length,
                        uint32_t has_cursor, const uint8_t *cursor, uint32_t cursor_length) {
    qr_items rows = {0};
    qr_failure failure = {0};
    bool done = machine_scan((qr_bytes){relation, relation_length},
                             (qr_bytes){constraints, constraints_length},
                             optional(has_cursor, cursor, cursor_length), &rows, &failure);
    result.content.page = (abi_page){rows.items, abi(rows.next)};
    return end(done, &failure);
}

EXPORT("migrate")
abi_result *export_migrate(uint32_t from_schema, uint32_t has_cursor, const uint8_t *cursor,
                           uint32_t cursor_length) {
    qr_optional next = {0};
    qr_failure failure = {0};
    bool done = machine_migrate(from_schema, optional(has_cursor, cursor, cursor_length), &next,
                                &failure);
    result.content.optional = abi(next);
    return end(done, &failure);
}

EXPORT("check")
abi_result *export_check(uint32_t has_cursor, const uint8_t *cursor, uint32_t cursor_length) {
    qr_items findings = {0};
    qr_failure failure = {0};
    bool done = machine_check(optional(has_cursor, cursor, cursor_length), &findings, &failure);
    result.content.page = (abi_page){findings.items, abi(findings.next)};
    return end(done, &failure);
}
