//! MySQL's meaning of what SQLite says otherwise, or not at all.

use super::*;

#[test]
fn expressions_mean_what_they_mean_in_mysql() {
    for (expression, expected) in [
        ("7 DIV 2", "3"),
        ("1 / 2", "0.5"),
        ("1 / 0", "NULL"),
        ("-7 % 3", "-1"),
        ("MOD(7, 0)", "NULL"),
        ("NULL <=> NULL", "1"),
        ("1 <=> NULL", "0"),
        ("1 XOR 1", "0"),
        ("NULL XOR 1", "NULL"),
        ("0 || 1", "1"),
        ("1 && 0", "0"),
        ("NOT 1 = 2", "1"),
        ("6 ^ 3", "5"),
        ("1 = 2 = 0", "1"),
        ("2 < 3 = 1", "1"),
        ("4 | 1 & 0", "4"),
        ("TRUE", "1"),
        ("0x41", "[41]"),
        ("'a' 'b'", "ab"),
        ("\"double\"", "double"),
        ("'a\\'b\\\\c'", "a'b\\c"),
        ("_utf8mb4'x' COLLATE utf8mb4_bin", "x"),
        ("'ABC' LIKE 'a%'", "1"),
        ("'a_c' LIKE 'a\\_c'", "1"),
        ("'abc' LIKE 'a\\_c'", "0"),
        ("'abc' NOT LIKE 'b%'", "1"),
        ("'abc' REGEXP '^A.C$'", "1"),
        ("'abc' NOT RLIKE 'x'", "1"),
        ("CAST('12abc' AS SIGNED)", "12"),
        ("CAST(12 AS CHAR)", "12"),
        ("CAST('1.005' AS DECIMAL(5,1))", "1.0"),
        ("CAST('2024-02-29 10:00:00' AS DATE)", "2024-02-29"),
        ("CONVERT('5', UNSIGNED)", "5"),
        ("CONVERT('x' USING utf8mb4)", "x"),
        ("DATE '2024-01-31' + INTERVAL 1 MONTH", "2024-02-29"),
        ("(1, 2) IN ((1, 2), (3, 4))", "1"),
        ("3 = ANY (SELECT 3)", "1"),
        ("EXISTS (SELECT 1 FROM dual WHERE 0)", "0"),
        ("CASE 2 WHEN 1 THEN 'a' ELSE 'b' END", "b"),
        ("1 BETWEEN 0 AND 2 AND 5 IN (5)", "1"),
        ("@u", "it's"),
        ("@nothing", "NULL"),
        ("@@global.autocommit", "0"),
        ("@@SESSION.AutoCommit", "1"),
        ("@@no_such_variable", "NULL"),
    ] {
        assert_eq!(value(&format!("SELECT {expression}")), expected, "{expression}");
    }
}

#[test]
fn functions_answer_as_in_mysql() {
    for (expression, expected) in [
        ("IF(1 > 0, 'yes', 'no')", "yes"),
        ("IFNULL(NULL, 2)", "2"),
        ("COALESCE(NULL, NULL, 'c')", "c"),
        ("NULLIF(1, 1)", "NULL"),
        ("CONCAT('a', 1, 'b')", "a1b"),
        ("CONCAT('a', NULL)", "NULL"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("UPPER('straße')", "STRASSE"),
        ("LENGTH('é')", "2"),
        ("CHAR_LENGTH('é')", "1"),
        ("LEFT('abc', 2)", "ab"),
        ("RIGHT('abc', 2)", "bc"),
        ("SUBSTRING('abcdef' FROM 2 FOR 3)", "bcd"),
        ("SUBSTR('abcdef', -3)", "def"),
        ("MID('abc', 0)", ""),
        ("SUBSTRING_INDEX('a.b.c', '.', 2)", "a.b"),
        ("SUBSTRING_INDEX('a.b.c', '.', -1)", "c"),
        ("TRIM('  a ')", "a"),
        ("TRIM(LEADING 'x' FROM 'xxa')", "a"),
        ("LTRIM(' a')", "a"),
        ("REPLACE('aaa', 'a', 'b')", "bbb"),
        ("LOCATE('B', 'abab')", "2"),
        ("LOCATE('b', 'abab', 3)", "4"),
        ("INSTR('abc', 'c')", "3"),
        ("POSITION('c' IN 'abc')", "3"),
        ("FIELD('b', 'a', 'B')", "2"),
        ("FIND_IN_SET('b', 'a,b')", "2"),
        ("ELT(2, 'a', 'b')", "b"),
        ("REPEAT('ab', 2)", "abab"),
        ("LPAD('7', 3, '0')", "007"),
        ("RPAD('abc', 2, 'x')", "ab"),
        ("REVERSE('abc')", "cba"),
        ("FLOOR(-1.5)", "-2"),
        ("CEIL(1.2)", "2"),
        ("ROUND(2.5)", "3"),
        ("ROUND(7)", "7"),
        ("ROUND(1.256, 2)", "1.26"),
        ("TRUNCATE(1.99, 1)", "1.9"),
        ("GREATEST(1, 3, 2)", "3"),
        ("LEAST('b', 'a')", "a"),
        ("HEX('AB')", "4142"),
        ("HEX(255)", "FF"),
        ("UNHEX('4142')", "[41, 42]"),
        ("FORMAT(1234567.891, 2)", "1,234,567.89"),
        ("NOW()", "2024-02-29 12:30:45"),
        ("CURRENT_TIMESTAMP", "2024-02-29 12:30:45"),
        ("CURDATE()", "2024-02-29"),
        ("CURTIME()", "12:30:45"),
        ("UNIX_TIMESTAMP()", "1709209845"),
        ("UNIX_TIMESTAMP('1970-01-02')", "86400"),
        ("FROM_UNIXTIME(0)", "1970-01-01 00:00:00"),
        ("DATE(NOW())", "2024-02-29"),
        ("DATE_FORMAT(NOW(), '%Y/%c/%e %H:%i:%s %W %%')", "2024/2/29 12:30:45 Thursday %"),
        ("DATE_SUB(NOW(), INTERVAL 1 HOUR)", "2024-02-29 11:30:45"),
        ("DATE_ADD('2024-02-28', INTERVAL '2' DAY)", "2024-03-01"),
        ("NOW() - INTERVAL 1 YEAR", "2023-02-28 12:30:45"),
        ("DATEDIFF('2024-03-01', '2024-02-28')", "2"),
        ("TIMESTAMPDIFF(MONTH, '2024-01-31', '2024-02-29')", "0"),
        ("TIMESTAMPDIFF(DAY, '2024-01-01', '2024-01-03')", "2"),
        ("EXTRACT(YEAR FROM NOW())", "2024"),
        ("YEAR('2024-02-29')", "2024"),
        ("DATE('no date')", "NULL"),
        ("CONNECTION_ID()", "7"),
        ("CURRENT_USER", "'root'@'%'"),
        ("CATALOG()", "default_catalog"),
        ("LAST_QUERY_ID()", "q-1"),
        ("SLEEP(0)", "0"),
        ("{fn UCASE('a')}", "A"),
    ] {
        assert_eq!(value(&format!("SELECT {expression}")), expected, "{expression}");
    }
}

#[test]
fn now_follows_the_offset_of_the_session() {
    let mut scope = scope();
    let variables = Arc::make_mut(&mut scope.system_variables);
    variables.insert("time_zone".into(), "+08:00".into());
    let rows =
        select("SELECT NOW(), UTC_TIMESTAMP()", &scope, fake(), &Limits::default(), &Cancel::new());
    assert_eq!(shown(&rows.unwrap()), ["2024-02-29 20:30:45|2024-02-29 12:30:45"]);
}

#[test]
fn pipes_join_strings_when_the_session_says_so() {
    let mut scope = scope();
    Arc::make_mut(&mut scope.system_variables).insert("sql_mode".into(), "PIPES_AS_CONCAT".into());
    let rows = select("SELECT 'a' || 'b'", &scope, fake(), &Limits::default(), &Cancel::new());
    assert_eq!(shown(&rows.unwrap()), ["ab"]);
}

#[test]
fn group_concat_takes_order_separator_and_distinct() {
    for (expression, expected) in [
        ("GROUP_CONCAT(column_name)", "id,name,price"),
        (
            "GROUP_CONCAT(column_name ORDER BY column_name DESC SEPARATOR ' > ')",
            "price > name > id",
        ),
        ("GROUP_CONCAT(DISTINCT table_name SEPARATOR ';')", "t1"),
        (
            "GROUP_CONCAT(table_name, '.', column_name ORDER BY ordinal_position)",
            "t1.id,t1.name,t1.price",
        ),
    ] {
        let sql = format!("SELECT {expression} FROM information_schema.columns");
        assert_eq!(value(&sql), expected, "{expression}");
    }
    let empty = "SELECT GROUP_CONCAT(x) FROM (SELECT '' AS x UNION ALL SELECT 'b') AS t";
    assert_eq!(value(empty), ",b");
    assert_eq!(value("SELECT GROUP_CONCAT(i) FROM test.many WHERE i < 0"), "NULL");
}

#[test]
fn sets_and_limits_work() {
    for (sql, expected) in [
        ("SELECT 1 UNION SELECT 1", vec!["1"]),
        ("(SELECT 1) UNION ALL (SELECT 2 ORDER BY 1 LIMIT 1)", vec!["1", "2"]),
        ("SELECT 1 UNION ALL SELECT 2 UNION DISTINCT SELECT 2", vec!["1", "2"]),
        ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", vec!["1"]),
        ("((SELECT 5))", vec!["5"]),
        ("VALUES ROW(1, 'a'), ROW(2, 'b')", vec!["1|a", "2|b"]),
        ("SELECT n FROM test.numbers ORDER BY n LIMIT 2, 3", vec!["-3", "-2", "-1"]),
        ("SELECT n FROM test.numbers ORDER BY n DESC LIMIT 1 OFFSET 1", vec!["3"]),
        (
            "SELECT n FROM test.numbers WHERE n > 2 ORDER BY n LIMIT 0, 18446744073709551615",
            vec!["3", "4"],
        ),
        (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3) SELECT * FROM c",
            vec!["1", "2", "3"],
        ),
        ("SELECT SQL_NO_CACHE DISTINCT 1 FROM DUAL FOR UPDATE", vec!["1"]),
        ("SELECT ROW_NUMBER() OVER (ORDER BY n DESC) r FROM test.numbers LIMIT 1", vec!["1"]),
        (
            "SELECT table_schema, COUNT(*) c FROM information_schema.tables GROUP BY table_schema HAVING c > 1",
            vec!["d1|2"],
        ),
    ] {
        assert_eq!(answer(sql), expected, "{sql}");
    }
    assert_eq!(labels("VALUES ROW(1, 2)"), ["column_0", "column_1"]);
}

#[test]
fn text_columns_compare_without_regard_to_case() {
    assert_eq!(
        answer("SELECT table_name FROM information_schema.tables WHERE TABLE_NAME = 't2'"),
        ["T2"]
    );
    assert_eq!(
        answer(
            "SELECT table_name FROM information_schema.tables WHERE table_name IN ('T1', 'V1') ORDER BY 1 DESC"
        ),
        ["v1", "t1"]
    );
    assert_eq!(
        answer(
            "SELECT table_name FROM information_schema.tables WHERE table_name = 't2' COLLATE utf8mb4_bin"
        ),
        Vec::<String>::new()
    );
}

#[test]
fn bytes_and_large_numbers_come_through() {
    let rows = run("SELECT key, value FROM kv.pairs WHERE key >= 'a' ORDER BY key").unwrap();
    assert_eq!(rows.columns[0].column_type, ColumnType::Bytes);
    assert_eq!(rows.rows[0], [Value::Bytes(b"a".to_vec()), Value::Bytes(vec![0xff, 0])]);
    assert_eq!(rows.rows[2][0], Value::Bytes(vec![0xfe]));
    assert_eq!(answer("SELECT value FROM kv.pairs WHERE key = x'fe'"), ["[]"]);
    assert_eq!(answer("SELECT LENGTH(value) FROM kv.pairs WHERE key = 'a'"), ["2"]);
    let largest = run("SELECT u FROM test.numbers ORDER BY n LIMIT 1").unwrap();
    assert_eq!(largest.rows[0][0], Value::UInt(u64::MAX));
}

#[test]
fn what_is_wrong_is_said_with_the_right_code() {
    for (sql, expected) in [
        ("SELEC 1", 1064),
        ("SELECT 1 +", 1064),
        ("SELECT 1 SELECT 2", 1064),
        ("SELECT 'open", 1064),
        ("DELETE FROM test.numbers", 1235),
        ("SELECT 1; DELETE FROM test.numbers", 1064),
        ("SELECT nope FROM test.numbers", 1054),
        ("SELECT t.nope FROM test.numbers t", 1054),
        ("SELECT table_name FROM information_schema.tables, information_schema.views", 1052),
        ("SELECT no_such_function(1)", 1305),
        ("SELECT load_extension('x')", 1305),
        ("SELECT sqlite_version()", 1305),
        ("SELECT BENCHMARK(1000000, 1)", 1305),
        ("SELECT LEFT('a')", 1582),
        ("SELECT CONCAT(*) FROM test.numbers", 1582),
        ("SELECT @u := 1", 1235),
        ("SELECT 1 UNION SELECT 1, 2", 1222),
        ("SELECT n FROM test.numbers WHERE COUNT(*) > 1", 1111),
        ("SELECT n, COUNT(*) FROM test.numbers GROUP BY n WITH ROLLUP", 1235),
        ("SELECT *", 1096),
        ("SELECT 'x' REGEXP '('", 1139),
        ("SELECT * FROM test.broken", 1105),
        ("SELECT * FROM sqlite_master", 5502),
        ("SELECT * FROM pragma_database_list", 5502),
    ] {
        assert_eq!(code(sql), expected, "{sql}");
    }
    let syntax = run("SELECT 1,\n (2 3)").unwrap_err();
    assert!(syntax.message.contains("line 2, column"), "{}", syntax.message);
    let column = run("SELECT nope FROM test.numbers").unwrap_err();
    assert_eq!(column.message, "Unknown column 'nope' in 'field list'");
    assert!(run("SELECT n INTO OUTFILE '/tmp/x' FROM test.numbers").is_err());
    assert_eq!(run("SELECT * FROM test.broken").unwrap_err().message, "the relation is broken");
}

#[test]
fn quotes_in_literals_and_names_cannot_escape() {
    let hostile = ["x'); DROP", "a\\'b", "''", "\\", "`", "\"", "a``b", "?1", "@u", "\u{0}x"];
    for text in hostile {
        let literal = format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
        let rows = run(&format!("SELECT {literal}, CONCAT({literal}, '')")).unwrap();
        assert_eq!(rows.rows[0], [Value::from(text), Value::from(text)], "{text}");
        if !text.contains('\u{0}') {
            let name = format!("`{}`", text.replace('`', "``"));
            assert_eq!(labels(&format!("SELECT 1 AS {name}")), [text]);
            assert_eq!(value(&format!("SELECT {name} FROM (SELECT 3 AS {name}) AS {name}")), "3");
        }
    }
}
