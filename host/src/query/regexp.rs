//! Regular expressions for `REGEXP`: linear in the text, whatever the pattern.
//!
//! A pattern is compiled to a program of at most [`PROGRAM_MAX`] steps, and all ways through it are
//! followed side by side (Thompson, "Regular expression search algorithm", 1968). Supported are
//! `.`, classes, `\d \w \s` and their opposites, `[[:alpha:]]` and kin, anchors, groups, `|`, and
//! the quantifiers `* + ? {n,m}`; ASCII case does not count, as in MySQL. Back references,
//! look-around and lazy quantifiers (which tell nothing when only a match is asked for) are refused
//! or ignored.

use quorate_wire::Failure;

/// Longest program; a pattern that needs more is refused.
const PROGRAM_MAX: usize = 4096;
/// How deep groups may nest.
const DEPTH_MAX: usize = 64;
/// Largest number in `{n,m}`.
const REPEAT_MAX: usize = 1000;

/// A compiled pattern.
pub(super) struct Pattern {
    program: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    /// One character out of ranges, or out of all others.
    Character {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    Start,
    End,
    /// Two ways on.
    Split(usize, usize),
    Jump(usize),
    Match,
}

/// A piece of a pattern, before it has a place in the program.
#[derive(Debug, Clone)]
enum Piece {
    Empty,
    One(Step),
    Sequence(Vec<Piece>),
    Either(Vec<Piece>),
    Repeat { piece: Box<Piece>, least: usize, most: Option<usize> },
}

fn refuse<T>(why: &str) -> Result<T, Failure> {
    Err(Failure::new(1139, "42000", format!("regular expression: {why}")))
}

impl Pattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// 1139 when it is malformed or too large.
    pub(super) fn new(pattern: &str) -> Result<Self, Failure> {
        let mut parser = Parser { rest: pattern.chars().peekable() };
        let piece = parser.either(0)?;
        if parser.rest.next().is_some() {
            return refuse("unmatched )");
        }
        let mut program = Vec::new();
        emit(&piece, &mut program)?;
        program.push(Step::Match);
        Ok(Self { program })
    }

    /// Whether the pattern occurs in `text`.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let mut now = Threads::new(self.program.len());
        let mut next = Threads::new(self.program.len());
        let mut characters = text.chars().peekable();
        let mut first = true;
        loop {
            let last = characters.peek().is_none();
            if self.follow(&mut now, 0, (first, last)) {
                return true;
            }
            let Some(c) = characters.next() else { return false };
            let ends = (false, characters.peek().is_none());
            for &at in &now.list {
                if matches(&self.program[at], c) && self.follow(&mut next, at + 1, ends) {
                    return true;
                }
            }
            std::mem::swap(&mut now, &mut next);
            next.clear();
            first = false;
        }
    }

    /// Adds the steps that can be reached from `at` without a character; true at a match.
    fn follow(&self, threads: &mut Threads, at: usize, (first, last): (bool, bool)) -> bool {
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut threads.seen[at], true) {
                continue;
            }
            match &self.program[at] {
                Step::Match => return true,
                Step::Jump(to) => open.push(*to),
                Step::Split(a, b) => open.extend([*a, *b]),
                Step::Start if first => open.push(at + 1),
                Step::End if last => open.push(at + 1),
                Step::Start | Step::End => {}
                Step::Character { .. } => threads.list.push(at),
            }
        }
        false
    }
}

/// Places in the program that are being followed.
struct Threads {
    list: Vec<usize>,
    seen: Vec<bool>,
}

impl Threads {
    fn new(steps: usize) -> Self {
        Self { list: Vec::new(), seen: vec![false; steps] }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen.fill(false);
    }
}

fn matches(step: &Step, c: char) -> bool {
    let Step::Character { ranges, negated } = step else { return false };
    let within = |c: char| ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
    (within(c.to_ascii_lowercase()) || within(c.to_ascii_uppercase())) != *negated
}

fn emit(piece: &Piece, program: &mut Vec<Step>) -> Result<(), Failure> {
    if program.len() > PROGRAM_MAX {
        return refuse("too large");
    }
    match piece {
        Piece::Empty => {}
        Piece::One(step) => program.push(step.clone()),
        Piece::Sequence(pieces) => {
            for piece in pieces {
                emit(piece, program)?;
            }
        }
        Piece::Either(ways) => {
            let mut ends = Vec::new();
            for (index, way) in ways.iter().enumerate() {
                let split = program.len();
                let more = index + 1 < ways.len();
                if more {
                    program.push(Step::Match);
                }
                emit(way, program)?;
                if more {
                    ends.push(program.len());
                    program.push(Step::Match);
                    program[split] = Step::Split(split + 1, program.len());
                }
            }
            let end = program.len();
            ends.into_iter().for_each(|at| program[at] = Step::Jump(end));
        }
        Piece::Repeat { piece, least, most } => {
            for _ in 0..*least {
                let before = program.len();
                emit(piece, program)?;
                // What is empty stays so, however often: no counting to a thousand to the tenth.
                if program.len() == before {
                    break;
                }
            }
            match most {
                None => {
                    let split = program.len();
                    program.push(Step::Match);
                    emit(piece, program)?;
                    program.push(Step::Jump(split));
                    program[split] = Step::Split(split + 1, program.len());
                }
                Some(most) => {
                    let mut splits = Vec::new();
                    for _ in *least..*most {
                        splits.push(program.len());
                        program.push(Step::Match);
                        emit(piece, program)?;
                    }
                    let end = program.len();
                    splits.into_iter().for_each(|at| program[at] = Step::Split(at + 1, end));
                }
            }
        }
    }
    Ok(())
}

struct Parser<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Parser<'_> {
    fn either(&mut self, depth: usize) -> Result<Piece, Failure> {
        if depth > DEPTH_MAX {
            return refuse("groups nest too deep");
        }
        let mut ways = vec![self.sequence(depth)?];
        while self.rest.next_if_eq(&'|').is_some() {
            ways.push(self.sequence(depth)?);
        }
        Ok(if ways.len() == 1 { ways.remove(0) } else { Piece::Either(ways) })
    }

    fn sequence(&mut self, depth: usize) -> Result<Piece, Failure> {
        let mut pieces = Vec::new();
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '|' | ')')) {
            let piece = match c {
                '(' => {
                    if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none()
                    {
                        return refuse("only (?: may follow (");
                    }
                    let inner = self.either(depth + 1)?;
                    if self.rest.next() != Some(')') {
                        return refuse("missing )");
                    }
                    inner
                }
                '^' => Piece::One(Step::Start),
                '$' => Piece::One(Step::End),
                '.' => Piece::One(Step::Character { ranges: Vec::new(), negated: true }),
                '[' => Piece::One(self.class()?),
                '\\' => Piece::One(self.escape()?),
                '*' | '+' | '?' => return refuse("nothing to repeat"),
                literal => one(literal),
            };
            pieces.push(self.repeated(piece)?);
        }
        Ok(if pieces.is_empty() { Piece::Empty } else { Piece::Sequence(pieces) })
    }

    fn repeated(&mut self, mut piece: Piece) -> Result<Piece, Failure> {
        loop {
            let (least, most) = match self.rest.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    self.rest.next();
                    let (least, most) = self.counts()?;
                    piece = Piece::Repeat { piece: Box::new(piece), least, most };
                    continue;
                }
                _ => return Ok(piece),
            };
            self.rest.next();
            piece = Piece::Repeat { piece: Box::new(piece), least, most };
        }
    }

    fn counts(&mut self) -> Result<(usize, Option<usize>), Failure> {
        let text: String = std::iter::from_fn(|| self.rest.next_if(|c| *c != '}')).collect();
        if self.rest.next().is_none() {
            return refuse("missing }");
        }
        let number = |text: &str| match text.parse::<usize>() {
            Ok(number) if number <= REPEAT_MAX => Ok(number),
            _ => refuse("a count in {} is no number up to 1000"),
        };
        Ok(match text.split_once(',') {
            None => (number(&text)?, Some(number(&text)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        })
    }

    fn escape(&mut self) -> Result<Step, Failure> {
        let Some(c) = self.rest.next() else { return refuse("ends with \\") };
        let named = |name: &str, negated| Step::Character { ranges: named(name), negated };
        Ok(match c {
            'd' | 'D' => named("digit", c == 'D'),
            'w' | 'W' => named("word", c == 'W'),
            's' | 'S' => named("space", c == 'S'),
            '0'..='9' | 'b' | 'B' => return refuse("\\ with a digit or b"),
            other => literal(plain(other)),
        })
    }

    fn class(&mut self) -> Result<Step, Failure> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        loop {
            let Some(c) = self.rest.next() else { return refuse("missing ]") };
            let low = match c {
                ']' if !ranges.is_empty() => return Ok(Step::Character { ranges, negated }),
                '[' if self.rest.next_if_eq(&':').is_some() => {
                    let name: String =
                        std::iter::from_fn(|| self.rest.next_if(|c| *c != ':')).collect();
                    let closed = (self.rest.next(), self.rest.next()) == (Some(':'), Some(']'));
                    let set = named(&name);
                    if !closed || set.is_empty() {
                        return refuse("unknown [:class:]");
                    }
                    ranges.extend(set);
                    continue;
                }
                '\\' => match self.escape()? {
                    Step::Character { ranges: set, negated: false } if set.len() == 1 => set[0].0,
                    Step::Character { ranges: set, negated: false } => {
                        ranges.extend(set);
                        continue;
                    }
                    _ => return refuse("this escape inside []"),
                },
                other => other,
            };
            let mut ahead = self.rest.clone();
            let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
            if range {
                self.rest.next();
                let high = match self.rest.next() {
                    Some('\\') => self.rest.next().map(plain),
                    other => other,
                };
                let Some(high) = high.filter(|high| *high >= low) else {
                    return refuse("range out of order");
                };
                ranges.push((low, high));
            } else {
                ranges.push((low, low));
            }
        }
    }
}

fn one(c: char) -> Piece {
    Piece::One(literal(c))
}

fn literal(c: char) -> Step {
    Step::Character { ranges: vec![(c, c)], negated: false }
}

/// The character that an escaped letter stands for.
fn plain(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}

/// The ranges of a class by name; none for an unknown name.
fn named(name: &str) -> Vec<(char, char)> {
    match name {
        "digit" => vec![('0', '9')],
        "alpha" => vec![('a', 'z'), ('A', 'Z')],
        "alnum" => vec![('a', 'z'), ('A', 'Z'), ('0', '9')],
        "word" => vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
        "upper" => vec![('A', 'Z')],
        "lower" => vec![('a', 'z')],
        "space" => vec![(' ', ' '), ('\t', '\r')],
        "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "xdigit" => vec![('0', '9'), ('a', 'f'), ('A', 'F')],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_match_what_mysql_says() {
        for (pattern, text, expected) in [
            ("^ab*c$", "abbbc", true),
            ("^ab*c$", "xabc", false),
            ("b", "ABC", true),
            ("^(a|bc)+$", "abcbca", true),
            ("^(a|bc)+$", "abcb", false),
            ("^[a-f0-9]{2,3}$", "0Ff", true),
            ("^[a-f0-9]{2,3}$", "0fff", false),
            ("^[^0-9]+$", "ab1", false),
            ("^[]x]+$", "]x", true),
            ("[[:digit:]]", "a7", true),
            (r"^\d+\.\w\s?$", "12.x", true),
            ("^a.c$", "a\u{e9}c", true),
            ("", "", true),
            ("a{0}", "", true),
            ("^(|x)$", "x", true),
            ("a|b|c$", "xxc", true),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().is_match(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn malformed_and_oversized_patterns_are_refused() {
        for pattern in
            ["(", ")", "[a", "*", "a{2", "a{x}", "[z-a]", r"\", "(?=a)", "((a{1000}){1000})"]
        {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
        assert!(Pattern::new(&"(".repeat(10_000)).is_err());
    }

    #[test]
    fn a_hostile_pattern_takes_time_in_proportion() {
        let empty = format!("{}{}", "(".repeat(50), "){1000}".repeat(50));
        assert!(Pattern::new(&empty).unwrap().is_match("x"));
        let pattern = Pattern::new("^(a*)*(a*)*(a*)*b$").unwrap();
        assert!(!pattern.is_match(&"a".repeat(20_000)));
    }
}
