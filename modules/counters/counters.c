/* Named counters: a module in C.
 *
 *   INCREMENT name [BY n]   adds n, 1 if it is not given, and answers the new value
 *   GET name                value and the position in the log of the last change; no row if absent
 *   LIST                    all counters, at most LIST_MAX
 *   DROP name               rows affected
 *
 * SELECT reads the relation `counters.counters`. A counter is stored under a tag and its name, as
 * its value and the log sequence number of its last change, both varints. Schema 1, which the
 * version built with COUNTERS_SCHEMA=1 has, stored the value alone; 2.0.0 migrates from it.
 */
#include "quorate.h"

#ifndef COUNTERS_SCHEMA
#define COUNTERS_SCHEMA 2
#endif

enum {
    NAME_MAX = 64,
    /* Rows of LIST; the relation has all. */
    LIST_MAX = 1000,
    PAGE_ROWS = 256,
    TAG = 1,
};

static const uint8_t FIRST[] = {TAG}, END[] = {TAG + 1};
static const qr_bytes LOW = {FIRST, 1}, HIGH = {END, 1};

static const qr_column COLUMNS[] = {
    {QR_TEXT("name"), QR_TEXT_COLUMN},
    {QR_TEXT("value"), QR_INT},
    {QR_TEXT("changed_lsn"), QR_UINT},
};
static const qr_relation RELATIONS[] = {{QR_TEXT("counters"), QR_TEXT("counters"), COLUMNS, 3}};
static const qr_statement STATEMENTS[] = {
    {QR_TEXT("INCREMENT name [BY n]"), true},
    {QR_TEXT("GET name"), false},
    {QR_TEXT("LIST"), false},
    {QR_TEXT("DROP name"), true},
};

typedef struct {
    int64_t value;
    /* Absent (0) in schema 1. */
    uint64_t lsn;
} counter;

static bool refuse(qr_failure *failure, uint16_t code, qr_bytes sqlstate, qr_bytes message) {
    *failure = (qr_failure){code, sqlstate, message};
    return false;
}

static bool syntax(qr_failure *failure) {
    return refuse(failure, 1064, QR_TEXT("42000"),
                  QR_TEXT("expected INCREMENT name [BY n], GET name, LIST or DROP name"));
}

/* ---- what is stored --------------------------------------------------------------------------- */

static qr_bytes stored_key(qr_bytes name) {
    return qr_join(LOW, name);
}

static qr_bytes stored_value(counter counter) {
    qr_writer out = {0};
    qr_put_signed(&out, counter.value);
    if (COUNTERS_SCHEMA >= 2) qr_put_unsigned(&out, counter.lsn);
    return qr_written(&out);
}

/* False for bytes that this schema never stores. */
static bool unpack(qr_bytes bytes, uint32_t schema, counter *counter) {
    qr_reader in = {bytes, false};
    counter->value = qr_take_signed(&in);
    counter->lsn = schema >= 2 ? qr_take_unsigned(&in) : 0;
    return !in.failed && in.rest.length == 0;
}

/* Corrupt bytes are a trap, the same on every frontend. */
static counter stored(qr_bytes bytes) {
    counter counter;
    if (!unpack(bytes, COUNTERS_SCHEMA, &counter)) qr_trap();
    return counter;
}

static bool is_name(qr_bytes name) {
    if (name.length == 0 || name.length > NAME_MAX) return false;
    for (uint32_t i = 0; i < name.length; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
        if (!letter) return false;
    }
    return true;
}

static void row(qr_writer *rows, qr_bytes name, counter counter) {
    qr_value_text(rows, name);
    qr_value_int(rows, counter.value);
    qr_value_uint(rows, counter.lsn);
}

/* ---- the machine ------------------------------------------------------------------------------ */

qr_description machine_describe(void) {
    static const uint32_t from[] = {1};
    bool first = COUNTERS_SCHEMA == 1;
    return (qr_description){
        .name = QR_TEXT("counters"),
        .version = first ? QR_TEXT("1.0.0") : QR_TEXT("2.0.0"),
        .schema = COUNTERS_SCHEMA,
        .migrates_from = from,
        .migrates_from_count = first ? 0 : 1,
        .relations = RELATIONS,
        .relation_count = 1,
        .statements = STATEMENTS,
        .statement_count = sizeof(STATEMENTS) / sizeof(STATEMENTS[0]),
    };
}

/* A command: a tag, the name, and for an increment the number. The log keeps it: no tag is ever
 * given another meaning. */
enum { INCREMENT = 0, DROP = 1 };

static bool list(qr_evaluation *evaluation) {
    qr_writer rows = {0};
    uint64_t count = 0;
    qr_optional low = {true, LOW};
    while (low.present && count < LIST_MAX) {
        uint32_t left = LIST_MAX - (uint32_t)count;
        qr_page page = qr_store_scan(low.bytes, HIGH, false, left < PAGE_ROWS ? left : PAGE_ROWS);
        while (page.pairs.rest.length) {
            qr_bytes key = qr_take_bytes(&page.pairs), value = qr_take_bytes(&page.pairs);
            row(&rows, qr_after(key, 1), stored(value));
            count++;
        }
        low = page.next;
    }
    evaluation->content = qr_reply_rows(COLUMNS, 3, &rows, count);
    return true;
}

bool machine_evaluate(const qr_session *session, qr_request request, qr_evaluation *evaluation,
                      qr_failure *failure) {
    (void)session;
    if (!request.is_text) return syntax(failure);
    qr_bytes rest = request.content;
    if (rest.length && rest.at[rest.length - 1] == ';') rest.length--;
    qr_bytes verb = qr_word(&rest), name = qr_word(&rest), by = qr_word(&rest);
    qr_bytes number = qr_word(&rest), more = qr_word(&rest);
    bool increments = qr_equal_word(verb, QR_TEXT("increment"));
    if (more.length || (by.length && !increments)) return syntax(failure);
    if (qr_equal_word(verb, QR_TEXT("list")) && !name.length) return list(evaluation);
    if (!increments && !qr_equal_word(verb, QR_TEXT("get")) &&
        !qr_equal_word(verb, QR_TEXT("drop")))
        return syntax(failure);
    if (!is_name(name))
        return refuse(failure, 1103, QR_TEXT("42000"),
                      QR_TEXT("a counter's name is 1 to 64 of a-z, 0-9, '_' and '.'"));
    if (qr_equal_word(verb, QR_TEXT("get"))) {
        qr_writer rows = {0};
        qr_optional found = qr_store_get(stored_key(name));
        if (found.present) row(&rows, name, stored(found.bytes));
        evaluation->content = qr_reply_rows(COLUMNS, 3, &rows, found.present);
        return true;
    }
    int64_t step = 1;
    if (by.length && (!qr_equal_word(by, QR_TEXT("by")) || !qr_number(number, &step)))
        return syntax(failure);
    qr_writer command = {0};
    qr_put_byte(&command, increments ? INCREMENT : DROP);
    qr_put_bytes(&command, name);
    if (increments) qr_put_signed(&command, step);
    evaluation->is_command = true;
    evaluation->content = qr_written(&command);
    return true;
}

bool machine_apply(qr_bytes command, qr_bytes *reply, qr_failure *failure) {
    qr_reader in = {command, false};
    uint8_t tag = qr_take_byte(&in);
    qr_bytes name = qr_take_bytes(&in);
    int64_t step = tag == INCREMENT ? qr_take_signed(&in) : 0;
    if (in.failed || in.rest.length || tag > DROP || !is_name(name))
        return refuse(failure, 1835, QR_TEXT("HY000"), QR_TEXT("malformed command"));
    qr_bytes key = stored_key(name);
    qr_optional found = qr_store_get(key);
    if (tag == DROP) {
        if (found.present) qr_store_delete(key);
        *reply = qr_reply_affected(found.present);
        return true;
    }
    counter counter = {0, 0};
    if (found.present) counter = stored(found.bytes);
    if (__builtin_add_overflow(counter.value, step, &counter.value))
        return refuse(failure, 1690, QR_TEXT("22003"), QR_TEXT("the counter would overflow"));
    counter.lsn = qr_current().lsn;
    qr_store_put(key, stored_value(counter));
    qr_emit(QR_TEXT("incremented"), name, stored_value(counter));
    qr_writer rows = {0};
    qr_value_int(&rows, counter.value);
    *reply = qr_reply_rows(&COLUMNS[1], 1, &rows, 1);
    return true;
}

bool machine_scan(qr_bytes relation, qr_bytes constraints, qr_optional cursor, qr_items *rows,
                  qr_failure *failure) {
    (void)relation, (void)constraints, (void)failure; /* There is one; the host filters. */
    qr_writer out = {0};
    qr_page page = qr_store_scan(cursor.present ? cursor.bytes : LOW, HIGH, false, PAGE_ROWS);
    while (page.pairs.rest.length) {
        qr_bytes key = qr_take_bytes(&page.pairs), value = qr_take_bytes(&page.pairs);
        row(&out, qr_after(key, 1), stored(value));
    }
    *rows = (qr_items){qr_written(&out), page.next};
    return true;
}

/* From schema 1: gives every counter this entry as its last change. One page a step. */
bool machine_migrate(uint32_t from_schema, qr_optional cursor, qr_optional *next,
                     qr_failure *failure) {
    if (COUNTERS_SCHEMA != 2 || from_schema != 1)
        return refuse(failure, 1105, QR_TEXT("HY000"), QR_TEXT("cannot migrate from this schema"));
    uint64_t lsn = qr_current().lsn;
    qr_page page = qr_store_scan(cursor.present ? cursor.bytes : LOW, HIGH, false, PAGE_ROWS);
    while (page.pairs.rest.length) {
        qr_bytes key = qr_take_bytes(&page.pairs), value = qr_take_bytes(&page.pairs);
        counter counter;
        if (!unpack(value, 1, &counter)) qr_trap();
        counter.lsn = lsn;
        qr_store_put(key, stored_value(counter));
    }
    *next = page.next;
    return true;
}

/* Bytes that are no counter, and names that no statement could have given. */
bool machine_check(qr_optional cursor, qr_items *findings, qr_failure *failure) {
    (void)failure;
    qr_writer found = {0}, out = {0};
    uint32_t count = 0;
    qr_page page = qr_store_scan(cursor.present ? cursor.bytes : LOW, HIGH, false, PAGE_ROWS);
    while (page.pairs.rest.length) {
        qr_bytes key = qr_take_bytes(&page.pairs), value = qr_take_bytes(&page.pairs);
        counter counter;
        bool whole = unpack(value, COUNTERS_SCHEMA, &counter);
        if (whole && is_name(qr_after(key, 1))) continue;
        qr_bytes note = whole ? QR_TEXT("not a counter's name") : QR_TEXT("not a counter's value");
        qr_finding(&found, true, key, note);
        count++;
    }
    qr_findings(&out, count);
    qr_put_raw(&out, qr_written(&found));
    *findings = (qr_items){qr_written(&out), page.next};
    return true;
}
