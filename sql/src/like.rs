//! MySQL's `LIKE`.

/// A piece of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Piece {
    /// This character.
    One(char),
    /// `_`: any character.
    Any,
    /// `%`: any characters, also none.
    Run,
}

/// Whether `text` matches `pattern`: `%` is any run of characters, `_` any character, and a
/// backslash takes the meaning off the character behind it.
///
/// Only the last `%` is ever tried again, so the worst case is the product of both lengths and
/// never exponential.
pub fn like_match(pattern: &str, text: &str, case_insensitive: bool) -> bool {
    let fold = |c: char| if case_insensitive { lower(c) } else { c };
    let pattern = pieces(pattern, fold);
    let text: Vec<char> = text.chars().map(fold).collect();

    let (mut piece, mut at) = (0, 0);
    // Behind the last `%`, and how far its run reaches by now.
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(piece) {
            Some(Piece::Run) => {
                piece += 1;
                retry = Some((piece, at));
                continue;
            }
            Some(Piece::Any) => {
                (piece, at) = (piece + 1, at + 1);
                continue;
            }
            Some(Piece::One(c)) if *c == text[at] => {
                (piece, at) = (piece + 1, at + 1);
                continue;
            }
            _ => {}
        }
        let Some((behind, reach)) = retry else {
            return false;
        };
        retry = Some((behind, reach + 1));
        (piece, at) = (behind, reach + 1);
    }
    pattern[piece..].iter().all(|piece| *piece == Piece::Run)
}

fn pieces(pattern: &str, fold: impl Fn(char) -> char) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let piece = match c {
            '\\' => Piece::One(fold(chars.next().unwrap_or('\\'))),
            '_' => Piece::Any,
            '%' => Piece::Run,
            c => Piece::One(fold(c)),
        };
        if piece != Piece::Run || pieces.last() != Some(&Piece::Run) {
            pieces.push(piece);
        }
    }
    pieces
}

/// `c` in lower case, if that is one character.
pub(crate) fn lower(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_text_does_not_match() {
        for (pattern, text) in
            [("", "a"), ("a", ""), ("a", "ab"), ("_", ""), ("_", "ab"), ("%a", "ab"), ("a%b", "ac")]
        {
            assert!(!like_match(pattern, text, true), "{pattern} {text}");
        }
        assert!(!like_match("ABC", "abc", false));
        assert!(!like_match(r"a\%", "ab", true));
        assert!(!like_match(r"a\_", "ab", true));
    }

    #[test]
    fn wildcards_match() {
        for (pattern, text) in [
            ("", ""),
            ("%", ""),
            ("%%", "abc"),
            ("a%", "a"),
            ("%c", "abcabc"),
            ("a%b%c", "axxbyyc"),
            ("_b_", "abc"),
            ("%_", "x"),
            ("gr_ße", "größe"),
            (r"a\%b", "a%b"),
            (r"a\_b", "a_b"),
            (r"a\\b", r"a\b"),
            (r"a\", r"a\"),
            ("lower_case%", "lower_case_table_names"),
        ] {
            assert!(like_match(pattern, text, false), "{pattern} {text}");
        }
        assert!(like_match("SQL_mode", "sql_MODE", true));
        assert!(like_match("GRÖ%", "größe", true));
    }

    #[test]
    fn many_wildcards_end_in_time() {
        let text = "a".repeat(10_000);
        assert!(!like_match(&format!("{}c", "%a_".repeat(100)), &text, true));
        assert!(!like_match(&format!("{}b", "%a".repeat(1_000)), &text, true));
    }
}
