//! From text to tree, within bounds.

use std::thread;

use quorate_wire::Failure;
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::MySqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::{OPERATORS_MAX, SELECTS_MAX, SQL_BYTES_MAX, failure};

/// How deep parentheses and subqueries may nest.
const NESTING_MAX: usize = 64;
/// A statement longer than this may have a tree too deep for an ordinary stack, and is worked on
/// by a thread of its own with this much per operator it may have.
const PLAIN_SQL_BYTES: usize = 512;
const STACK_BYTES: usize = OPERATORS_MAX * 32 * 1024;

/// One query, and the text of each expression that the result will be labelled with.
pub(super) struct Parsed {
    pub(super) query: Box<Query>,
    /// The select list of the first SELECT, item by item, as the client wrote it.
    pub(super) texts: Vec<String>,
}

/// Runs `work`, which handles the tree of `sql`, where there is stack enough for it.
pub(super) fn with_room<T: Send>(
    sql: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    if sql.len() <= PLAIN_SQL_BYTES {
        return work();
    }
    let refused =
        |what: &str| Failure::new(1135, "HY000", format!("no thread for a long query: {what}"));
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("query".into()).stack_size(STACK_BYTES);
        let worker = builder.spawn_scoped(scope, work).map_err(|e| refused(&e.to_string()))?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Reads one query: `SELECT`, `WITH`, `VALUES`, parenthesised or not.
pub(super) fn query(sql: &str) -> Result<Parsed, Failure> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(failure::syntax(&format!("statement is longer than {SQL_BYTES_MAX} bytes")));
    }
    let dialect = MySqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| failure::syntax(&error.to_string()))?;
    bound(&tokens)?;
    let texts = select_list(sql, &tokens);
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(NESTING_MAX).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().map_err(|error| refusal(&error))?;
    while parser.consume_token(&Token::SemiColon) {}
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let Location { line, column } = rest.span.start;
        return Err(failure::syntax(&format!(
            "unexpected '{}' at line {line}, column {column}",
            rest.token
        )));
    }
    match statement {
        Statement::Query(query) => Ok(Parsed { query, texts }),
        _ => Err(failure::unsupported("a statement other than a query here")),
    }
}

fn refusal(error: &ParserError) -> Failure {
    match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            // `Expected: .., found: x at Line: 1, Column: 8`
            failure::syntax(
                &text.replace(" at Line: ", " at line ").replace(", Column: ", ", column "),
            )
        }
        ParserError::RecursionLimitExceeded => {
            failure::syntax(&format!("nested more than {NESTING_MAX} deep"))
        }
    }
}

/// Refuses what would make too deep a tree or too many intermediate tables. Operators of one chain
/// nest in each other, those on two sides of a comma do not.
fn bound(tokens: &[TokenWithSpan]) -> Result<(), Failure> {
    let mut selects = 0;
    // Operators since the last comma, for each parenthesis that is open, and their sum.
    let (mut chains, mut depth) = (vec![0], 0);
    for token in tokens {
        match &token.token {
            Token::LParen => chains.push(0),
            Token::RParen | Token::Comma => {
                depth -= chains.pop().unwrap_or(0);
                if token.token == Token::Comma || chains.is_empty() {
                    chains.push(0);
                }
            }
            token if nests(token) => {
                depth += 1;
                if let Some(chain) = chains.last_mut() {
                    *chain += 1;
                }
            }
            Token::Word(word) if word.keyword == Keyword::SELECT => selects += 1,
            _ => {}
        }
        if depth > OPERATORS_MAX {
            return Err(failure::syntax(&format!("more than {OPERATORS_MAX} operators in a row")));
        }
    }
    if selects > SELECTS_MAX {
        return Err(failure::syntax(&format!("more than {SELECTS_MAX} SELECTs")));
    }
    Ok(())
}

/// Whether a token may put one expression, query or join into another.
fn nests(token: &Token) -> bool {
    use Keyword as K;
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            K::AND
                | K::OR
                | K::XOR
                | K::NOT
                | K::DIV
                | K::IS
                | K::LIKE
                | K::REGEXP
                | K::RLIKE
                | K::COLLATE
                | K::BETWEEN
                | K::IN
                | K::UNION
                | K::EXCEPT
                | K::INTERSECT
                | K::JOIN
        ),
        Token::Whitespace(_)
        | Token::Period
        | Token::Number(..)
        | Token::SemiColon
        | Token::EOF
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Placeholder(_)
        | Token::HexStringLiteral(_) => false,
        _ => true,
    }
}

/// The source of each item of the first select list: MySQL labels columns with it.
fn select_list(sql: &str, tokens: &[TokenWithSpan]) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = tokens.iter();
    // Behind WITH, the first SELECT is the one outside of all parentheses.
    let with = rest.clone().find(|token| !matches!(token.token, Token::Whitespace(_)));
    let with = with.is_some_and(|token| is_keyword(token, &[Keyword::WITH]));
    let mut outside = 0_i32;
    for token in rest.by_ref() {
        match token.token {
            Token::LParen => outside += 1,
            Token::RParen => outside -= 1,
            _ if is_keyword(token, &[Keyword::SELECT]) && (!with || outside == 0) => break,
            _ => {}
        }
    }
    let offsets = Offsets::new(sql);
    let (mut depth, mut first, mut last): (usize, Option<Location>, Option<Location>) =
        (0, None, None);
    loop {
        let token = rest.next();
        let ends = token.is_none_or(|token| {
            depth == 0
                && (matches!(token.token, Token::EOF | Token::SemiColon | Token::RParen)
                    || is_keyword(token, &AFTER_LIST))
        });
        let comma = token.is_some_and(|token| depth == 0 && token.token == Token::Comma);
        if ends || comma {
            let text = first.zip(last).and_then(|(first, last)| offsets.slice(first, last));
            texts.push(text.unwrap_or_default().to_owned());
            (first, last) = (None, None);
        }
        let Some(token) = token.filter(|_| !ends) else { return texts };
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let modifier = first.is_none() && is_keyword(token, &MODIFIERS);
        if !comma && !modifier && !matches!(token.token, Token::Whitespace(_)) {
            first.get_or_insert(token.span.start);
            last = Some(token.span.end);
        }
    }
}

/// Keywords that end a select list.
const AFTER_LIST: [Keyword; 13] = [
    Keyword::FROM,
    Keyword::INTO,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::WINDOW,
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::MINUS,
    Keyword::FOR,
];

/// Words between SELECT and its list.
const MODIFIERS: [Keyword; 10] = [
    Keyword::DISTINCT,
    Keyword::DISTINCTROW,
    Keyword::ALL,
    Keyword::HIGH_PRIORITY,
    Keyword::STRAIGHT_JOIN,
    Keyword::SQL_SMALL_RESULT,
    Keyword::SQL_BIG_RESULT,
    Keyword::SQL_BUFFER_RESULT,
    Keyword::SQL_NO_CACHE,
    Keyword::SQL_CALC_FOUND_ROWS,
];

fn is_keyword(token: &TokenWithSpan, keywords: &[Keyword]) -> bool {
    matches!(&token.token, Token::Word(word)
        if word.quote_style.is_none() && keywords.contains(&word.keyword))
}

/// Lines and columns (both from 1, in characters) as places in the text.
struct Offsets<'a> {
    sql: &'a str,
    lines: Vec<usize>,
}

impl<'a> Offsets<'a> {
    fn new(sql: &'a str) -> Self {
        let starts = sql.match_indices('\n').map(|(at, _)| at + 1);
        Self { sql, lines: std::iter::once(0).chain(starts).collect() }
    }

    fn offset(&self, at: Location) -> Option<usize> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let text = &self.sql[start..];
        let within = text.char_indices().nth(column).map_or(text.len(), |(at, _)| at);
        Some(start + within)
    }

    fn slice(&self, first: Location, last: Location) -> Option<&'a str> {
        self.sql.get(self.offset(first)?..self.offset(last)?)
    }
}
