;; A state machine by hand, which does what no toolchain would let it: each request and command is a
;; letter and its arguments. `DESCRIPTION` and `DESCRIPTION_BYTES` are filled in by the tests.
(component $guest
  (import "quorate:machine/types@0.1.0" (instance $types
    (type $f (record (field "code" u16) (field "sqlstate" string) (field "message" string)))
    (export "failure" (type (eq $f)))))
  (import "quorate:machine/store@0.1.0" (instance $store
    (export "get" (func (param "key" (list u8)) (result (option (list u8)))))
    (export "get-many" (func (param "keys" (list u8)) (result (list u8))))
    (export "put" (func (param "key" (list u8)) (param "value" (list u8))))
    (export "delete" (func (param "key" (list u8))))
    (export "delete-range" (func (param "low" (list u8)) (param "high" (list u8)) (result u64)))
    (type $p (record (field "pairs" (list u8)) (field "next" (option (list u8)))))
    (export "page" (type $page (eq $p)))
    (export "scan" (func (param "low" (list u8)) (param "high" (list u8)) (param "reverse" bool)
      (param "max-rows" u32) (result $page)))))
  (import "quorate:machine/context@0.1.0" (instance $context
    (type $i (record (field "lsn" u64) (field "index" u32) (field "time-us" u64)
      (field "schema" u32) (field "caller" string)))
    (export "info" (type $info (eq $i)))
    (export "current" (func (result $info)))
    (export "seed" (func (result (list u8))))))
  (import "quorate:machine/events@0.1.0" (instance $events
    (export "emit" (func (param "topic" string) (param "key" (list u8)) (param "body" (list u8))))))
  (import "quorate:machine/trace@0.1.0" (instance $trace
    (type $l (enum "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $l)))
    (export "line" (func (param "level" $level) (param "text" string)))))

  ;; Memory: 2048 the counter, 3072 a reply, 4096 constants, 8192 the description, 65536 the heap.
  (core module $Libc
    (memory (export "memory") 64)
    (global $heap (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
      (global.set $heap (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "reset") (global.set $heap (i32.const 65536)))
    (data (i32.const 4096) "42S01refused\ff")
    (data (i32.const 4128) "m1m2")
    (data (i32.const 4160) "\04\03one\04\03two\00counter")
    (data (i32.const 8192) "DESCRIPTION"))
  (core instance $libc (instantiate $Libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))

  (core func $get (canon lower (func $store "get") (memory $memory) (realloc $realloc)))
  (core func $get-many (canon lower (func $store "get-many") (memory $memory) (realloc $realloc)))
  (core func $put (canon lower (func $store "put") (memory $memory)))
  (core func $delete (canon lower (func $store "delete") (memory $memory)))
  (core func $delete-range (canon lower (func $store "delete-range") (memory $memory)))
  (core func $scan (canon lower (func $store "scan") (memory $memory) (realloc $realloc)))
  (core func $current (canon lower (func $context "current") (memory $memory) (realloc $realloc)))
  (core func $seed (canon lower (func $context "seed") (memory $memory) (realloc $realloc)))
  (core func $emit (canon lower (func $events "emit") (memory $memory)))
  (core func $line (canon lower (func $trace "line") (memory $memory)))

  (core module $Main
    (import "libc" "memory" (memory 1))
    (import "libc" "reset" (func $reset))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (import "host" "get-many" (func $get-many (param i32 i32 i32)))
    (import "host" "put" (func $put (param i32 i32 i32 i32)))
    (import "host" "delete" (func $delete (param i32 i32)))
    (import "host" "delete-range" (func $delete-range (param i32 i32 i32 i32) (result i64)))
    (import "host" "scan" (func $scan (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "current" (func $current (param i32)))
    (import "host" "seed" (func $seed (param i32)))
    (import "host" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))
    (import "host" "line" (func $line (param i32 i32 i32)))

    (table $grown 1 funcref)

    ;; What the last letter came to.
    (global $failed (mut i32) (i32.const 0))
    (global $is-command (mut i32) (i32.const 0))
    (global $ptr (mut i32) (i32.const 0))
    (global $len (mut i32) (i32.const 0))
    ;; The refusal's message.
    (global $message-ptr (mut i32) (i32.const 4101))
    (global $message-len (mut i32) (i32.const 7))

    (func $raw (param $ptr i32) (param $len i32)
      (global.set $ptr (local.get $ptr))
      (global.set $len (local.get $len)))
    ;; A packed reply: `affected` rows, below 128.
    (func $affected (param $count i32)
      (i32.store (i32.const 3072) (i32.const 1))
      (i32.store (i32.const 3074) (local.get $count))
      (call $raw (i32.const 3072) (i32.const 5)))
    ;; A packed reply: bytes, fewer than 128.
    (func $bytes (param $ptr i32) (param $len i32)
      (i32.store (i32.const 3072) (i32.const 0x0201))
      (i32.store8 (i32.const 3074) (local.get $len))
      (memory.copy (i32.const 3075) (local.get $ptr) (local.get $len))
      (i32.store16 (i32.add (i32.const 3075) (local.get $len)) (i32.const 0))
      (call $raw (i32.const 3072) (i32.add (local.get $len) (i32.const 5))))
    (func $recurse (param $depth i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get $depth) (i32.const 1))) (i32.const 1)))
    (func $deep (param $depth i32) (result i32)
      (if (result i32) (local.get $depth)
        (then (i32.add (call $deep (i32.sub (local.get $depth) (i32.const 1))) (i32.const 1)))
        (else (i32.const 0))))
    (func $endless (loop $again (br $again)))
    (func $is (param $letter i32) (param $ptr i32) (result i32)
      (i32.eq (local.get $letter) (i32.load8_u (local.get $ptr))))

    (func $run (param $ptr i32) (param $len i32)
      (local $arg i32) (local $n i32)
      (local.set $arg (i32.add (local.get $ptr) (i32.const 1)))
      (local.set $n (i32.sub (local.get $len) (i32.const 1)))
      (global.set $failed (i32.const 0))
      (global.set $is-command (i32.const 0))
      (call $affected (i32.const 0))

      ;; t: trap. l: never ends. r: recurses. m: allocates all it can, then traps.
      (if (call $is (i32.const 0x74) (local.get $ptr)) (then (unreachable)))
      (if (call $is (i32.const 0x6c) (local.get $ptr)) (then (call $endless)))
      (if (call $is (i32.const 0x72) (local.get $ptr)) (then
        (drop (call $recurse (i32.const 0)))))
      (if (call $is (i32.const 0x6d) (local.get $ptr)) (then
        (loop $more
          (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (unreachable)))

      ;; T: grows a table as long as it may, and puts its length in thousands as that of a value.
      (if (call $is (i32.const 0x54) (local.get $ptr)) (then
        (loop $more
          (br_if $more (i32.ne
            (table.grow $grown (ref.null func) (i32.const 1000)) (i32.const -1))))
        (call $put (local.get $arg) (i32.const 1)
          (i32.const 4096) (i32.div_u (table.size $grown) (i32.const 1000)))
        (call $affected (i32.const 1))))
      ;; R: goes as many thousand calls deep as the argument's byte says, and comes back.
      (if (call $is (i32.const 0x52) (local.get $ptr)) (then
        (drop (call $deep (i32.mul (i32.load8_u (local.get $arg)) (i32.const 1000))))))

      ;; p: puts a one-byte key. P: puts, then traps. F: puts and emits, then refuses.
      (if (call $is (i32.const 0x70) (local.get $ptr)) (then
        (call $put (local.get $arg) (i32.const 1)
          (i32.add (local.get $arg) (i32.const 1)) (i32.sub (local.get $n) (i32.const 1)))
        (call $affected (i32.const 1))))
      (if (call $is (i32.const 0x50) (local.get $ptr)) (then
        (call $put (local.get $arg) (i32.const 1) (local.get $arg) (i32.const 1))
        (unreachable)))
      (if (call $is (i32.const 0x46) (local.get $ptr)) (then
        (call $put (local.get $arg) (i32.const 1) (local.get $arg) (i32.const 1))
        (call $emit (local.get $arg) (i32.const 1) (local.get $arg) (i32.const 1)
          (local.get $arg) (i32.const 1))
        (global.set $failed (i32.const 1))))
      ;; f: refuses. u: refuses with a message that is not UTF-8.
      (if (call $is (i32.const 0x66) (local.get $ptr)) (then
        (global.set $failed (i32.const 1))))
      (if (call $is (i32.const 0x75) (local.get $ptr)) (then
        (global.set $message-len (i32.const 8))
        (global.set $failed (i32.const 1))))
      ;; j: replies with bytes that are no reply. J: with a reply out of memory.
      (if (call $is (i32.const 0x6a) (local.get $ptr)) (then
        (call $raw (local.get $ptr) (local.get $len))))
      (if (call $is (i32.const 0x4a) (local.get $ptr)) (then
        (call $raw (i32.const -16) (i32.const 64))))
      ;; L: replies with more bytes than a reply may have.
      (if (call $is (i32.const 0x4c) (local.get $ptr)) (then
        (call $raw (i32.const 65536) (i32.const 0x100001))))

      ;; g: gets a key. G: packed keys in, packed values out. b: gets a key out of memory.
      (if (call $is (i32.const 0x67) (local.get $ptr)) (then
        (call $get (local.get $arg) (local.get $n) (i32.const 2560))
        (if (i32.load8_u (i32.const 2560))
          (then (call $bytes (i32.load (i32.const 2564)) (i32.load (i32.const 2568)))))))
      (if (call $is (i32.const 0x47) (local.get $ptr)) (then
        (call $get-many (local.get $arg) (local.get $n) (i32.const 2560))
        (call $bytes (i32.load (i32.const 2560)) (i32.load (i32.const 2564)))))
      (if (call $is (i32.const 0x62) (local.get $ptr)) (then
        (call $get (i32.const -16) (i32.const 64) (i32.const 2560))))
      ;; k: gets a key of 4097 bytes. v: puts a value of a byte over 1 MiB.
      (if (call $is (i32.const 0x6b) (local.get $ptr)) (then
        (call $get (i32.const 65536) (i32.const 4097) (i32.const 2560))))
      (if (call $is (i32.const 0x76) (local.get $ptr)) (then
        (call $put (local.get $arg) (i32.const 1) (i32.const 65536) (i32.const 0x100001))))
      ;; w: puts a value of 1 MiB as often as it may.
      (if (call $is (i32.const 0x77) (local.get $ptr)) (then
        (loop $more
          (call $put (local.get $arg) (i32.const 1) (i32.const 65536) (i32.const 0x100000))
          (br $more))))
      ;; d: deletes a key. D: deletes from one one-byte key to another. s, S: scans so, with at
      ;; most as many rows as the third argument says; the page is the reply.
      (if (call $is (i32.const 0x64) (local.get $ptr)) (then
        (call $delete (local.get $arg) (local.get $n))))
      (if (call $is (i32.const 0x44) (local.get $ptr)) (then
        (call $affected (i32.wrap_i64 (call $delete-range (local.get $arg) (i32.const 1)
          (i32.add (local.get $arg) (i32.const 1)) (i32.const 1))))))
      (if (call $is (i32.const 0x73) (local.get $ptr)) (then
        (call $page (local.get $arg) (i32.const 0))))
      (if (call $is (i32.const 0x53) (local.get $ptr)) (then
        (call $page (local.get $arg) (i32.const 1))))

      ;; n: counts in memory, and puts the count as the length of the value of "counter".
      (if (call $is (i32.const 0x6e) (local.get $ptr)) (then
        (i32.store (i32.const 2048) (i32.add (i32.load (i32.const 2048)) (i32.const 1)))
        (call $put (i32.const 4171) (i32.const 7) (i32.const 4096) (i32.load (i32.const 2048)))
        (call $affected (i32.load (i32.const 2048)))))
      ;; x: leaves nothing in memory as it was.
      (if (call $is (i32.const 0x78) (local.get $ptr)) (then
        (memory.fill (i32.const 0) (i32.const 0xab) (i32.const 0x400000))
        (unreachable)))
      ;; e: emits. E: emits as often as it may. c: the entry's LSN and index. a: the seed.
      (if (call $is (i32.const 0x65) (local.get $ptr)) (then
        (call $emit (local.get $arg) (i32.const 1) (local.get $arg) (i32.const 1)
          (local.get $arg) (local.get $n))))
      (if (call $is (i32.const 0x45) (local.get $ptr)) (then
        (loop $more
          (call $emit (local.get $arg) (i32.const 0) (local.get $arg) (i32.const 0)
            (local.get $arg) (i32.const 0))
          (br $more))))
      (if (call $is (i32.const 0x63) (local.get $ptr)) (then
        (call $current (i32.const 2560))
        (call $bytes (i32.const 2560) (i32.const 12))))
      (if (call $is (i32.const 0x61) (local.get $ptr)) (then
        (call $seed (i32.const 2560))
        (call $bytes (i32.load (i32.const 2560)) (i32.load (i32.const 2564)))))
      ;; i: traces the rest, a hundred times.
      (if (call $is (i32.const 0x69) (local.get $ptr)) (then
        (local.set $len (i32.const 100))
        (loop $more
          (call $line (i32.const 2) (local.get $arg) (local.get $n))
          (local.set $len (i32.sub (local.get $len) (i32.const 1)))
          (br_if $more (local.get $len)))))
      ;; C: the rest is a command to propose.
      (if (call $is (i32.const 0x43) (local.get $ptr)) (then
        (global.set $is-command (i32.const 1))
        (call $raw (local.get $arg) (local.get $n)))))

    (func $page (param $arg i32) (param $reverse i32)
      (call $scan (local.get $arg) (i32.const 1)
        (i32.add (local.get $arg) (i32.const 1)) (i32.const 1) (local.get $reverse)
        (i32.load8_u (i32.add (local.get $arg) (i32.const 2))) (i32.const 2560))
      ;; The next key, if any, follows the pairs behind a bar.
      (local.set $arg (i32.add (i32.load (i32.const 2560)) (i32.load (i32.const 2564))))
      (if (i32.load8_u (i32.const 2568)) (then
        (i32.store8 (local.get $arg) (i32.const 0x7c))
        (memory.copy (i32.add (local.get $arg) (i32.const 1))
          (i32.load (i32.const 2572)) (i32.load (i32.const 2576)))
        (local.set $arg (i32.add (local.get $arg)
          (i32.add (i32.const 1) (i32.load (i32.const 2576)))))))
      (call $bytes (i32.load (i32.const 2560))
        (i32.sub (local.get $arg) (i32.load (i32.const 2560)))))

    ;; Writes a refusal where results go, and tells whether there was one.
    (func $refused (result i32)
      (i32.store (i32.const 1024) (global.get $failed))
      (if (global.get $failed) (then
        (i32.store (i32.const 1028) (i32.const 1050))
        (i32.store (i32.const 1032) (i32.const 4096))
        (i32.store (i32.const 1036) (i32.const 5))
        (i32.store (i32.const 1040) (global.get $message-ptr))
        (i32.store (i32.const 1044) (global.get $message-len))))
      (global.get $failed))

    (func (export "describe") (result i32)
      (i32.store (i32.const 1024) (i32.const 8192))
      (i32.store (i32.const 1028) (i32.const DESCRIPTION_BYTES))
      (i32.const 1024))
    (func (export "evaluate")
      (param i64 i32 i32 i32 i32 i32 i32) (param $ptr i32) (param $len i32) (result i32)
      (call $run (local.get $ptr) (local.get $len))
      (if (i32.eqz (call $refused)) (then
        (i32.store (i32.const 1028) (global.get $is-command))
        (i32.store (i32.const 1032) (global.get $ptr))
        (i32.store (i32.const 1036) (global.get $len))))
      (i32.const 1024))
    (func (export "apply") (param $ptr i32) (param $len i32) (result i32)
      (call $run (local.get $ptr) (local.get $len))
      (if (i32.eqz (call $refused)) (then
        (i32.store (i32.const 1028) (global.get $ptr))
        (i32.store (i32.const 1032) (global.get $len))))
      (i32.const 1024))
    ;; Two rows in two pages, then none.
    (func (export "scan") (param i32 i32 i32 i32) (param $has-cursor i32) (param i32 i32)
      (result i32)
      (i32.store (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (i32.const 4160))
      (i32.store (i32.const 1032) (i32.const 5))
      (i32.store (i32.const 1036) (i32.eqz (local.get $has-cursor)))
      (i32.store (i32.const 1040) (i32.const 4160))
      (i32.store (i32.const 1044) (i32.const 1))
      (if (local.get $has-cursor) (then (i32.store (i32.const 1028) (i32.const 4165))))
      (i32.const 1024))
    ;; From schema 1: two steps, each with a put. From 2: puts and traps. From 3: puts and refuses.
    ;; From 4: emits.
    (func (export "migrate") (param $from i32) (param $has-cursor i32) (param i32 i32) (result i32)
      (local $key i32)
      (local.set $key (i32.add (i32.const 4128) (i32.shl (local.get $has-cursor) (i32.const 1))))
      (call $put (local.get $key) (i32.const 2) (local.get $key) (i32.const 2))
      (if (i32.eq (local.get $from) (i32.const 2)) (then (unreachable)))
      (if (i32.eq (local.get $from) (i32.const 4)) (then
        (call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0))))
      (global.set $failed (i32.eq (local.get $from) (i32.const 3)))
      (if (i32.eqz (call $refused)) (then
        (i32.store (i32.const 1028) (i32.eqz (local.get $has-cursor)))
        (i32.store (i32.const 1032) (i32.const 4128))
        (i32.store (i32.const 1036) (i32.const 2))))
      (i32.const 1024))
    ;; No findings.
    (func (export "check") (param i32 i32 i32) (result i32)
      (i32.store (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (i32.const 4170))
      (i32.store (i32.const 1032) (i32.const 1))
      (i32.store (i32.const 1036) (i32.const 0))
      (i32.const 1024))
    (func (export "done") (param i32) (call $reset)))
  (core instance $main (instantiate $Main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "get" (func $get)) (export "get-many" (func $get-many)) (export "put" (func $put))
      (export "delete" (func $delete)) (export "delete-range" (func $delete-range))
      (export "scan" (func $scan)) (export "current" (func $current))
      (export "seed" (func $seed)) (export "emit" (func $emit)) (export "line" (func $line))))))

  (type $failure (record
    (field "code" u16) (field "sqlstate" string) (field "message" string)))
  (type $session (record
    (field "id" u64) (field "user" string) (field "database" (option string))))
  (type $request (variant (case "text" string) (case "bytes" (list u8))))
  (type $evaluation (variant (case "reply" (list u8)) (case "command" (list u8))))
  (type $relation-page (record (field "rows" (list u8)) (field "next" (option (list u8)))))
  (type $check-page (record (field "findings" (list u8)) (field "next" (option (list u8)))))

  (func $describe (result (list u8))
    (canon lift (core func $main "describe") (memory $memory) (post-return (core func $main "done"))))
  (func $evaluate (param "session" $session) (param "request" $request)
    (result (result $evaluation (error $failure)))
    (canon lift (core func $main "evaluate") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done"))))
  (func $apply (param "command" (list u8)) (result (result (list u8) (error $failure)))
    (canon lift (core func $main "apply") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done"))))
  (func $scan-relation (param "relation" string) (param "constraints" (list u8))
    (param "cursor" (option (list u8))) (result (result $relation-page (error $failure)))
    (canon lift (core func $main "scan") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done"))))
  (func $migrate (param "from-schema" u32) (param "cursor" (option (list u8)))
    (result (result (option (list u8)) (error $failure)))
    (canon lift (core func $main "migrate") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done"))))
  (func $check (param "cursor" (option (list u8))) (result (result $check-page (error $failure)))
    (canon lift (core func $main "check") (memory $memory) (realloc $realloc)
      (post-return (core func $main "done"))))

  ;; Exported types need names, which only a component's own imports and exports give them.
  (component $Machine
    (type $f (record (field "code" u16) (field "sqlstate" string) (field "message" string)))
    (import "failure" (type $failure (eq $f)))
    (type $s (record (field "id" u64) (field "user" string) (field "database" (option string))))
    (import "session" (type $session (eq $s)))
    (type $r (variant (case "text" string) (case "bytes" (list u8))))
    (import "request" (type $request (eq $r)))
    (type $e (variant (case "reply" (list u8)) (case "command" (list u8))))
    (import "evaluation" (type $evaluation (eq $e)))
    (type $p (record (field "rows" (list u8)) (field "next" (option (list u8)))))
    (import "relation-page" (type $relation-page (eq $p)))
    (type $c (record (field "findings" (list u8)) (field "next" (option (list u8)))))
    (import "check-page" (type $check-page (eq $c)))
    (import "describe" (func $describe (result (list u8))))
    (import "evaluate" (func $evaluate (param "session" $session) (param "request" $request)
      (result (result $evaluation (error $failure)))))
    (import "apply" (func $apply (param "command" (list u8))
      (result (result (list u8) (error $failure)))))
    (import "scan" (func $scan (param "relation" string) (param "constraints" (list u8))
      (param "cursor" (option (list u8))) (result (result $relation-page (error $failure)))))
    (import "migrate" (func $migrate (param "from-schema" u32) (param "cursor" (option (list u8)))
      (result (result (option (list u8)) (error $failure)))))
    (import "check" (func $check (param "cursor" (option (list u8)))
      (result (result $check-page (error $failure)))))
    (export $failure' "failure" (type $failure))
    (export $session' "session" (type $session))
    (export $request' "request" (type $request))
    (export $evaluation' "evaluation" (type $evaluation))
    (export $relation-page' "relation-page" (type $relation-page))
    (export $check-page' "check-page" (type $check-page))
    (export "describe" (func $describe))
    (export "evaluate" (func $evaluate)
      (func (param "session" $session') (param "request" $request')
        (result (result $evaluation' (error $failure')))))
    (export "apply" (func $apply)
      (func (param "command" (list u8)) (result (result (list u8) (error $failure')))))
    (export "scan" (func $scan)
      (func (param "relation" string) (param "constraints" (list u8))
        (param "cursor" (option (list u8))) (result (result $relation-page' (error $failure')))))
    (export "migrate" (func $migrate)
      (func (param "from-schema" u32) (param "cursor" (option (list u8)))
        (result (result (option (list u8)) (error $failure')))))
    (export "check" (func $check)
      (func (param "cursor" (option (list u8)))
        (result (result $check-page' (error $failure'))))))
  (instance $machine (instantiate $Machine
    (with "failure" (type $failure)) (with "session" (type $session))
    (with "request" (type $request)) (with "evaluation" (type $evaluation))
    (with "relation-page" (type $relation-page)) (with "check-page" (type $check-page))
    (with "describe" (func $describe)) (with "evaluate" (func $evaluate))
    (with "apply" (func $apply)) (with "scan" (func $scan-relation))
    (with "migrate" (func $migrate)) (with "check" (func $check))))
  (export "quorate:machine/machine@0.1.0" (instance $machine)))
