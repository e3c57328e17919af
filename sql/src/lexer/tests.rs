use super::*;

fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
    let (tokens, _) = Lexer::tokens(text).unwrap();
    tokens.iter().map(|token| (token.kind, &text[token.start..token.end])).collect()
}

fn words(text: &str) -> Vec<&str> {
    let mut all: Vec<_> = kinds(text).into_iter().map(|(_, source)| source).collect();
    assert_eq!(all.pop(), Some(""));
    all
}

#[test]
fn unterminated_quotes_and_comments_say_where_they_start() {
    for (text, reason, offset) in [
        ("SET a = 'x", "unterminated string", 8),
        ("SET a = \"x\\\"", "unterminated string", 8),
        ("USE `x``", "unterminated identifier", 4),
        ("USE x /* y", "unterminated comment", 6),
        ("/*!40101 SET x", "unterminated comment", 0),
        ("/*!99999 SET x", "unterminated comment", 0),
        ("'ab\\", "unterminated string", 0),
        ("/*/", "unterminated comment", 0),
    ] {
        let error = Lexer::tokens(text).unwrap_err();
        assert_eq!((error.reason.as_str(), error.offset), (reason, offset), "{text}");
    }
}

#[test]
fn too_long_a_text_is_refused() {
    let error = Lexer::tokens(&" ".repeat(TEXT_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Limit);
    assert!(Lexer::tokens(&" ".repeat(TEXT_BYTES_MAX)).is_ok());
}

#[test]
fn too_many_tokens_are_refused() {
    assert_eq!(Lexer::tokens(&",".repeat(TOKENS_MAX)).unwrap_err().kind, ErrorKind::Limit);
    assert!(Lexer::tokens(&",".repeat(TOKENS_MAX - 1)).is_ok());
}

#[test]
fn comments_are_skipped() {
    assert_eq!(words("a -- b\nc # d\n/* e ' */f --\tg"), ["a", "c", "f"]);
    assert_eq!(words("--"), [""; 0]);
    assert_eq!(words("5--1"), ["5", "-", "-", "1"]);
    assert_eq!(words("/*M!999999\\- sandbox */ a"), ["a"]);
}

#[test]
fn executable_comments_count_as_their_content_up_to_our_version() {
    assert_eq!(words("/*!40101 SET NAMES utf8 */"), ["SET", "NAMES", "utf8"]);
    assert_eq!(words("a /*! b /* c */ d*/ e"), ["a", "b", "d", "e"]);
    assert_eq!(words("a /*!80034 b */ c"), ["a", "c"]);
    assert_eq!(words("a /*!100616 b */ c"), ["a", "c"]);
    assert_eq!(words("a /*!123 */"), ["a", "123"]);
    assert!(Lexer::tokens("/*!1*/").unwrap().1);
    assert!(!Lexer::tokens("/* 1*/").unwrap().1);
}

#[test]
fn numbers_words_and_names_that_begin_with_digits_are_told_apart() {
    use TokenKind::{Number, Symbol, Word};
    let strip = |text| {
        let mut all = kinds(text);
        all.pop();
        all
    };
    for text in ["1", "1.5", ".5", "1e9", "1.5E-3", "0x1F", "007"] {
        assert_eq!(strip(text), [(Number, text)]);
    }
    for text in ["2024_sales", "1e", "0xZZ", "größe", "a$b", "表"] {
        assert_eq!(strip(text), [(Word, text)]);
    }
    assert_eq!(strip("d.5t"), [(Word, "d"), (Symbol("."), "."), (Word, "5t")]);
    assert_eq!(strip("d .5"), [(Word, "d"), (Number, ".5")]);
    assert_eq!(words("@@session.a:=@b"), ["@@", "session", ".", "a", ":=", "@", "b"]);
}

#[test]
fn unknown_characters_pass_to_the_parser() {
    assert_eq!(kinds("\\")[0].0, TokenKind::Other);
    assert_eq!(kinds("\u{0}")[0].0, TokenKind::Other);
}

#[test]
fn quotes_are_resolved() {
    assert_eq!(unquote("'it''s'"), "it's");
    assert_eq!(unquote(r"'a\'b\\c\n\0\Z\q'"), "a'b\\c\n\0\u{1a}q");
    assert_eq!(unquote(r"'50\%\_'"), r"50\%\_");
    assert_eq!(unquote("\"say \"\"hi\"\" it's\""), "say \"hi\" it's");
    assert_eq!(unquote("`a``b\\c`"), "a`b\\c");
    assert_eq!(unquote("''"), "");
}
