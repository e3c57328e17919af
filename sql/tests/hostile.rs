//! Texts nobody should send. Each must end in an answer, never in a panic or a long wait.

#![allow(clippy::unwrap_used)]

use quorate_sql::{
    ErrorKind, bind, catalog_statement, host_statement, is_query, like_match, limits, placeholders,
    split,
};

/// Uses nearly every production there is.
const LONG_CREATE_TABLE: &str = r#"
CREATE EXTERNAL TABLE IF NOT EXISTS `c`.`größe`.t /*!40101 (
  id BIGINT(20) NOT NULL AUTO_INCREMENT COMMENT "the \"id\"", -- a comment
  k LARGEINT KEY, v DECIMAL(38, 9) SUM NULL DEFAULT "0", */
  s STRUCT<a ARRAY<MAP<INT, VARCHAR(*)>>, `b c` JSON> NULL,
  d DATETIME DEFAULT CURRENT_TIMESTAMP(6), e INT AS (k + 1) * 2 COMMENT 'x',
  u VARCHAR(36) CHARACTER SET utf8 DEFAULT (uuid()),
  INDEX i (id) USING BITMAP ("a" = "b") COMMENT ''
) ENGINE = OLAP DEFAULT CHARSET = utf8 COLLATE utf8_general_ci
PRIMARY KEY (id, k) COMMENT 'tab\'le'
PARTITION BY RANGE (date_trunc('day', d)) (
  PARTITION p1 VALUES LESS THAN ("2020-01-01") ("x" = "y"),
  PARTITION IF NOT EXISTS p2 VALUES [("2020-01-01", -1.5), ("2021-01-01", MAXVALUE)),
  START ("2021-01-01") END ("2022-01-01") EVERY (INTERVAL 1 MONTH)
)
DISTRIBUTED BY HASH (id, `k`) BUCKETS 8 ORDER BY (id)
ROLLUP (r (id) DUPLICATE KEY (id) FROM b PROPERTIES ("a" = "b"))
PROPERTIES ("replication_num" = "1", storage.medium = SSD);
"#;

const OTHERS: &[&str] = &[
    "ALTER TABLE t ADD COLUMN (a INT, b INT), DROP PARTITION IF EXISTS p FORCE, COMMENT = 'x'",
    "CREATE OR REPLACE VIEW d.v (a COMMENT 'x', b) COMMENT \"v\" AS SELECT 1, `a`, '\u{1F600}'",
    "SHOW PARTITIONS FROM t WHERE NOT (a = 1 OR b IN ('x', 2)) ORDER BY a DESC LIMIT 1 OFFSET 2",
    "SET @@global.a = 'x', @`b` := (1 + (2)), NAMES 'utf8' COLLATE x /*! , c = 1 */",
    "ALTER SYSTEM ADD FOLLOWER \"h:1\", 'h:2' FORCE",
    "ADMIN SET FRONTEND CONFIG (\"a\" = \"b\")",
];

/// Marsaglia's xorshift: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Calls everything with `text`, and checks what every error must keep.
fn survives(text: &str) {
    let errors = [
        catalog_statement(text).err(),
        host_statement(text).err(),
        split(text).err(),
        placeholders(text).err(),
        bind(text, &["1".into()]).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert!(text.is_char_boundary(error.offset), "{text:?}");
        assert!(error.line >= 1 && error.column >= 1);
        assert!(error.near.chars().count() <= limits::NEAR_CHARS_MAX);
    }
    if let Ok(statement) = catalog_statement(text) {
        let printed = statement.to_string();
        assert_eq!(catalog_statement(&printed).as_ref(), Ok(&statement), "{text:?}\n{printed}");
    }
    is_query(text);
    like_match(text, text, true);
}

#[test]
fn long_statement_is_accepted_whole() {
    survives(LONG_CREATE_TABLE);
    catalog_statement(LONG_CREATE_TABLE).unwrap();
    for text in &OTHERS[..3] {
        catalog_statement(text).unwrap();
    }
    for text in &OTHERS[3..] {
        host_statement(text).unwrap().unwrap();
    }
}

#[test]
fn statements_cut_off_anywhere_are_refused_or_parsed() {
    for text in OTHERS.iter().chain([&LONG_CREATE_TABLE]) {
        for (offset, _) in text.char_indices() {
            survives(&text[..offset]);
            survives(&text[offset..]);
        }
    }
}

#[test]
fn statements_with_bytes_missing_or_mixed_up_are_refused_or_parsed() {
    let mut random = Random(0x5EED);
    let pieces = ["(", ")", ",", "'", "\"", "`", "/*", "*/", "/*!", "\\", "-", ".", "<", ">", ";"];
    for text in OTHERS.iter().chain([&LONG_CREATE_TABLE]) {
        let characters: Vec<char> = text.chars().collect();
        for _ in 0..400 {
            let mut mixed: Vec<char> = characters.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(mixed.len());
                match random.below(4) {
                    0 => drop(mixed.remove(at)),
                    1 => mixed[at] = characters[random.below(characters.len())],
                    2 => mixed.truncate(at + 1),
                    _ => drop(mixed.splice(at..at, pieces[random.below(pieces.len())].chars())),
                }
            }
            survives(&mixed.into_iter().collect::<String>());
        }
    }
}

#[test]
fn random_words_are_refused_or_parsed() {
    let mut random = Random(0xB0B);
    let words: Vec<&str> = LONG_CREATE_TABLE
        .split_whitespace()
        .chain(OTHERS.iter().copied().flat_map(str::split_whitespace))
        .collect();
    for _ in 0..5_000 {
        let length = 1 + random.below(12);
        let text: Vec<&str> = (0..length).map(|_| words[random.below(words.len())]).collect();
        survives(&text.join(" "));
    }
}

#[test]
fn random_bytes_are_refused_or_left_to_the_module() {
    let mut random = Random(0xF00D);
    for _ in 0..5_000 {
        let length = random.below(64);
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        survives(&String::from_utf8_lossy(&bytes));
        let printable: String = bytes.iter().map(|byte| char::from(byte % 128)).collect();
        survives(&printable);
    }
}

#[test]
fn nesting_is_bounded() {
    let types = |depth| {
        let (open, close) = ("ARRAY<".repeat(depth), ">".repeat(depth));
        catalog_statement(&format!("CREATE TABLE t (a {open}INT{close})"))
    };
    let conditions = |depth| {
        let (open, close) = ("(".repeat(depth), ")".repeat(depth));
        catalog_statement(&format!("SHOW TABLES WHERE {open}a = 1{close}"))
    };
    let negations =
        |depth| catalog_statement(&format!("SHOW TABLES WHERE {}a = 1", "NOT ".repeat(depth)));
    let calls = |depth| {
        let (open, close) = ("f(".repeat(depth), ")".repeat(depth));
        catalog_statement(&format!("CREATE TABLE t (a INT) PARTITION BY {open}a{close}"))
    };
    for deep in [limits::DEPTH_MAX, 10_000, 100_000] {
        assert_eq!(types(deep).unwrap_err().kind, ErrorKind::Limit);
        assert_eq!(conditions(deep).unwrap_err().kind, ErrorKind::Limit);
        assert_eq!(negations(deep).unwrap_err().kind, ErrorKind::Limit);
        assert_eq!(calls(deep).unwrap_err().kind, ErrorKind::Limit);
    }
    let allowed = limits::DEPTH_MAX - 1;
    for statement in [types(allowed), conditions(allowed), negations(allowed), calls(allowed)] {
        let printed = statement.unwrap().to_string();
        catalog_statement(&printed).unwrap();
    }
}

#[test]
fn text_kept_as_it_is_may_nest_as_it_likes() {
    let (open, close) = ("(".repeat(50_000), ")".repeat(50_000));
    survives(&format!("CREATE TABLE t (a INT DEFAULT ({open}1{close}))"));
    survives(&format!("SET a = {open}1{close}"));
    survives(&format!("{open}SELECT 1{close}"));
}

#[test]
fn sizes_are_bounded() {
    let statement = |count: usize| {
        let columns: Vec<String> = (0..count).map(|n| format!("c{n} INT")).collect();
        catalog_statement(&format!("CREATE TABLE t ({})", columns.join(",")))
    };
    assert_eq!(statement(limits::LIST_ITEMS_MAX + 1).unwrap_err().kind, ErrorKind::Limit);
    assert!(statement(limits::LIST_ITEMS_MAX).is_ok());

    let condition = |count: usize| {
        catalog_statement(&format!("SHOW TABLES WHERE a=1{}", " OR a=1".repeat(count)))
    };
    assert_eq!(condition(limits::LIST_ITEMS_MAX).unwrap_err().kind, ErrorKind::Limit);
    assert!(condition(limits::LIST_ITEMS_MAX - 1).is_ok());

    let long = format!("USE {}", "x".repeat(limits::TEXT_BYTES_MAX));
    assert_eq!(catalog_statement(&long).unwrap_err().kind, ErrorKind::Limit);

    let name = |length: usize| catalog_statement(&format!("USE `{}`", "ö".repeat(length)));
    let error = name(limits::IDENTIFIER_CHARS_MAX + 1).unwrap_err();
    assert_eq!((error.kind, error.errno()), (ErrorKind::NameTooLong, 1059));
    assert!(name(limits::IDENTIFIER_CHARS_MAX).is_ok());
}

#[test]
fn unterminated_quotes_and_comments_are_refused() {
    for text in ["USE `x", "USE x /* y", "COMMENT 'x", "/*!40101 USE x", "DROP TABLE \"x"] {
        let error = catalog_statement(text).unwrap_err();
        assert!(error.reason.starts_with("unterminated"), "{text}: {error}");
    }
}
